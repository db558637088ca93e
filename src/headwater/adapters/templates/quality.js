"use strict";
// Rows carry their source and, for each month, their numbers; groups show the sums of the rows that are left.
const source = document.getElementById("by-source");
const month = document.getElementById("by-month");
const write = {
  rows: new Intl.NumberFormat("en-US"),
  cents: new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
};

function numbers(row) {
  if (source.value && row.dataset.s !== source.value) return null;
  const parts = row.dataset.by.split(" ").map((part) => part.split(":"));
  const mine = parts.filter((part) => !month.value || part[0] === month.value).map((part) => part.slice(1).map(Number));
  return mine.length ? mine.reduce((sums, part) => sums.map((sum, place) => sum + part[place])) : null;
}

function show(place, sums) {
  const value = sums[Number(place.dataset.i)];
  place.textContent = "cents" in place.dataset ? write.cents.format(value / 100) : write.rows.format(value);
}

function apply() {
  const sums = new Map();
  for (const row of document.querySelectorAll("[data-by]")) {
    const found = numbers(row);
    row.hidden = found === null;
    if (found === null) continue;
    for (const place of row.querySelectorAll("[data-i]")) show(place, found);
    const sum = sums.get(row.dataset.in);
    sums.set(row.dataset.in, sum ? sum.map((value, index) => value + found[index]) : found);
  }
  for (const group of document.querySelectorAll("[data-group]")) {
    const found = sums.get(group.dataset.group);
    group.hidden = !found;
    if (!found) continue;
    const head = group.querySelector("summary") || group;
    for (const place of head.querySelectorAll("[data-i]")) show(place, found);
    if (group.dataset.s) group.open = group.dataset.s === source.value;
  }
  // What has a source but no months of its own, and what only makes sense over all months.
  for (const row of document.querySelectorAll("[data-only]")) {
    row.hidden = source.value !== "" && row.dataset.only !== source.value;
  }
  for (const row of document.querySelectorAll("[data-months]")) {
    row.hidden ||= month.value !== "" && !row.dataset.months.split(" ").includes(month.value);
  }
  for (const row of document.querySelectorAll("[data-whole]")) row.hidden = month.value !== "";
  for (const block of document.querySelectorAll("[data-block]")) {
    block.hidden = !block.querySelector("[data-only]:not([hidden])");
  }
  for (const cell of document.querySelectorAll("[data-col]")) cell.classList.toggle("on", cell.dataset.col === month.value);
}

document.getElementById("filters").hidden = false;
for (const choice of [source, month]) {
  choice.value = "";
  choice.addEventListener("change", apply);
}
document.getElementById("all").addEventListener("click", () => {
  source.value = month.value = "";
  apply();
});
