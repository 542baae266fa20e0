// On paper nothing can be clicked: folds are printed open, and closed again afterwards.
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details.hide:not([open]), details.more:not([open])").forEach((fold) => {
    fold.open = true;
    fold.dataset.opened = "to-print";
  });
});
window.addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-opened]").forEach((fold) => {
    fold.open = false;
    delete fold.dataset.opened;
  });
});
