// Which results of a search come first: index entries and titles as Sphinx weighs them, the book, then the lessons.
// Last comes what names every word and explains none.
const NAMES_ALL = ['changelog', 'functions', 'reference/glossary']
self.Scorer = {
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 30, partialTitle: 14, term: 5, partialTerm: 2,
  score([page, , , , score]) {
    if (NAMES_ALL.includes(page)) return score - 100
    if (page.startsWith('reference/')) return score
    return score + (page.startsWith('lessons/') ? 1 : 2)
  }
}
