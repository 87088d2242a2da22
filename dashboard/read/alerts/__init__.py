"""What pages and `/api/v1` know of alerts: the list with its dollars, and one alert in full.

Imports the reader and what people do about alerts. Begin with `listing`.
"""
