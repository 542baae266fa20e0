// Cells of tables that lead to a state of the explorer: links in the book, plain text on a page of its own.
document.addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement.dataset.content_root || "../";
  document.querySelectorAll("td[data-explorer]").forEach((cell) => {
    const link = document.createElement("a");
    link.href = root + "book/explorer.html" + cell.dataset.explorer;
    link.append(...cell.childNodes);
    cell.append(link);
  });
});
