// Inside Airflow's frame a link can open neither a window nor the whole page; a link made in the frame's parent can.
function open(event) {
  const link = event.currentTarget;
  if (window.parent === window) return;
  event.preventDefault();
  const outer = window.parent.document.createElement("a");
  outer.href = link.href;
  outer.target = "_blank";
  outer.rel = "noopener";
  outer.click();
}

for (const link of document.querySelectorAll("a[data-outside]")) link.addEventListener("click", open);

// A choice is applied at once; the button stays for whoever has no script.
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("change", () => form.requestSubmit());
}
