"""Between the browser and Gradio: routes, the middleware, headers, sessions, errors."""
