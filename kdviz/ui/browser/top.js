// Another claim begins at its top: Streamlit leaves the page scrolled to where the button was that opened it.

let shown = null  // stays while the reader is on the pages

export default function ({ data }) {
  if (shown !== null && shown !== data.shown) document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 })
  shown = data.shown
}
