"""The user's objects: Recipe, Forecaster, Forecast, and the engine that fills one from the other."""
