-- Verdicts of the funding gate, or those whose name begins so.
-- Returns: judged_ns UInt64; sha256, option, ruling String; gain_low_usd, cost_usd Nullable(Decimal); document,
--   signature, public_key, actor String; the newest first.
SELECT judged_ns, sha256, toString(option) AS option, toString(ruling) AS ruling, gain_low_usd, cost_usd,
    document, signature, public_key, actor
FROM gate_verdicts FINAL
WHERE startsWith(sha256, {sha256:String})
ORDER BY judged_ns DESC, sha256
LIMIT 1000
