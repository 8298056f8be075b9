// What the theme leaves out for readers without a mouse, a screen or a server
(() => {
  'use strict'

  const mayScroll = 'pre, .table-wrapper, .cell_output .output, div.math'

  function reachByKeyboard() {
    for (const box of document.querySelectorAll(mayScroll)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
      else box.removeAttribute('tabindex')
    }
  }

  // The sidebar is longer than the screen: show the part with this page
  function showCurrentPage() {
    const current = document.querySelector('.sidebar-tree .current-page > a')
    const box = document.querySelector('.sidebar-scroll')
    if (!current || !box) return
    const below = current.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom
    if (below > 0) box.scrollBy({ top: below + box.clientHeight / 2, behavior: 'instant' })
  }

  // A link to a folded entry opens it, and everything around it
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
    for (let fold = target?.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true
    target?.scrollIntoView()
  }

  // On paper nothing is folded; afterwards all is as it was
  let opened = []
  function openAll() {
    opened = [...document.querySelectorAll('details:not([open])')]
    for (const fold of opened) fold.open = true
  }
  function closeAgain() { for (const fold of opened) fold.open = false }

  // A file can't ask for another file: results of a search come without their text
  if (location.protocol === 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false

  addEventListener('load', () => {
    for (const heading of document.querySelectorAll('[role=heading]:not([aria-level])')) heading.ariaLevel = 2
    reachByKeyboard()
    showCurrentPage()
    openTarget()
  })
  addEventListener('resize', reachByKeyboard)
  addEventListener('toggle', reachByKeyboard, true)
  addEventListener('hashchange', openTarget)
  addEventListener('beforeprint', openAll)
  addEventListener('afterprint', closeAgain)
})()
