-- Whether a decision of an action was declared, and is none by which attribution is calibrated.
-- Returns: an expression, UInt8.
NOT startsWith(action, 'auto ') AND action != 'calibration'
