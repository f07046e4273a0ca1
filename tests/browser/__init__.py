"""The pages in Chromium, as customers use them: `make e2e-browser`."""
