-- End the statement from outside that runs over one connection.
-- Returns: a row a statement that was told to end; none where it has ended.
KILL QUERY WHERE Settings['log_comment'] = {mark:String} ASYNC
