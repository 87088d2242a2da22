"""The pages of alerts: the list, and one alert with what people do about it.

What people do goes through `/api/v1`, from the browser. Imports read and the parts of pages.
Begin with `page`.
"""
