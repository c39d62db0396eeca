"""The shell around every HTTP answer: keys and scopes, one error shape, request ids, security headers."""
