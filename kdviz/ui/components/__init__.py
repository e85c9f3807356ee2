"""Controls that several pages use, or that Streamlit does not have."""
