"""FreqAI imports this package, of 200 MB, for a type; no model of the tests is made with it."""
