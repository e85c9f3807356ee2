"""The door: `streamlit run app.py` serves the pages. No logic."""

import streamlit as st

from kdviz.ui import served, server, stream

# lifespan: what starts and ends with the server, the engine; routes: what is served beside the pages.
app = st.App("kdviz/ui/main.py", lifespan=server.lifespan, routes=[*served.routes(), *stream.routes()])

if __name__ == "__main__":
    app.run()
