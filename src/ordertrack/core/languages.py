"""The languages in which customers can read about an order. Each has a table of words, in `sdk/js/src/words`."""

LANGUAGES = ("en", "de", "fr", "es", "ar", "vi")
