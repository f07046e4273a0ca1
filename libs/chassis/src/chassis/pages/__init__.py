"""HTML pages: session cookies, forgery protection, layout, error pages."""
