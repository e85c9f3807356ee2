"""The pages: plain scripts that main.py runs. Not called `pages`, a name by which Streamlit would serve them without main.py."""
