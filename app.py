"""The door: `streamlit run app.py` serves the pages. No logic."""

import streamlit as st

from kdviz.ui import server

# What starts and ends with the server (the engine) is its lifespan: st.App("kdviz/ui/main.py", lifespan=server.lifespan).
app = st.App("kdviz/ui/main.py", lifespan=server.lifespan)

if __name__ == "__main__":
    app.run()
