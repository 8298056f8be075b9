"The drawing app; `mnist-steps demo` runs it."
