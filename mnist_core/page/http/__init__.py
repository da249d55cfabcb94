"""Between the browser and Gradio: routes, middleware, headers, sessions, errors."""
