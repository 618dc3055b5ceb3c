"""Results of later reviews (再審査, 過誤), as an input of their own."""
