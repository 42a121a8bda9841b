// The box that finds rules: hides the rows whose words do not hold all that was typed, and says how many are left.
const box = document.getElementById("find");
const told = document.getElementById("found");
const rows = [...document.querySelectorAll(".rules tbody tr")];

function find() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    left += row.hidden ? 0 : 1;
  }
  told.textContent = words.length ? `${left} of ${rows.length} rules` : "";
}

box.addEventListener("input", find);
