"""The only place that knows JSON keys: `requests` turns bodies into values, `answers` turns values into bodies."""
