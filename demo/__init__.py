"The drawing app: `mnist-steps demo` runs app.py."
