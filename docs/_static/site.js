// What the theme leaves out for readers without a mouse or a screen
addEventListener('load', () => {
  for (const heading of document.querySelectorAll('[role=heading]:not([aria-level])')) heading.ariaLevel = 2
  for (const box of document.querySelectorAll('pre')) if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
})
