// The workbench works without scripts; these make it quicker. No data leaves the page.
"use strict";

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: copy with your keyboard";
    }
    setTimeout(() => { button.textContent = label; }, 2500);
  });
}

for (const button of document.querySelectorAll("button[data-opens]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const all = [...document.querySelectorAll(`#${button.dataset.opens} details`)];
    const opens = all.some((one) => !one.open);
    for (const one of all) one.open = opens;
    button.textContent = opens ? "Close all" : "Open all";
  });
}

// A link to a part that is folded opens it.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const fold = target && (target.closest("details") || target.querySelector("details"));
  if (fold) {
    fold.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", openTarget);
openTarget();
