"""Everything that imports streamlit: navigation, pages, components, and what a page shows by which rule. Never imports torch."""
