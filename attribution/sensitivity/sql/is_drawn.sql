-- What a decision claims was drawn, recomputed: a registered experiment that lasts, an arm and its delay, and the draw of the
-- unit (collector/core/assignment.py). Part of the SELECT list of statements over `decisions`.
-- Returns: at, the place of the arm in `arms`, 0 of one that is none; drawn UInt64; is_drawn UInt8.
            indexOf({arms:Array(String)}, concat(experiment, '\x1f', arm)) AS at,
            if(at = 0, 0, reinterpretAsUInt64(reverse(substring(SHA256(concat(
                experiment, '\x1f', toString(intDiv(ingress_ns, 60000000000)), '\x1f', unit)), 1, 7)))) AS drawn,
            at > 0
                AND injected_delay_ns = {delays_ns:Array(UInt64)}[at]
                AND drawn >= {firsts:Array(UInt64)}[at] AND drawn < {ends:Array(UInt64)}[at]
                AND ingress_ns >= {begin_ns:Array(UInt64)}[at] AND ingress_ns < {end_ns:Array(UInt64)}[at]
                AS is_drawn
