// The explorer page: loads an SAE's script when it is chosen, keeps address, controls and views in step.
(function () {
  "use strict";
  const J = AbsorptionJudge, S = AbsorptionState, C = AbsorptionCharts, V = AbsorptionViews, el = C.element;
  const script = document.currentScript;
  const folder = script.src.slice(0, script.src.lastIndexOf("/") + 1) + "data/";
  const loaded = new Map();
  const waiting = new Map();
  const SLIDERS = { lead: "least lead, in logits", cosine: "least cosine with the probe", share: "least share of the projection", jump: "F1 jump that makes a main latent" };
  const FLAGS = { lead: "min_lead", cosine: "min_cosine", share: "min_share", jump: "f1_jump" };
  let saes = [];
  let parts = {};
  let now = null;

  window.absorptionData = (name, value) => {
    loaded.set(name, J.open(value));
    (waiting.get(name) || []).forEach((done) => done());
    waiting.delete(name);
  };

  function load(name, done) {
    if (loaded.has(name)) return done();
    if (waiting.has(name)) return waiting.get(name).push(done);
    waiting.set(name, [done]);
    const file = saes.find((sae) => sae.name === name).file;
    const tag = el("script", { src: folder + encodeURIComponent(file) });
    tag.addEventListener("error", () => complain([`The data of ${name} could not be loaded from ${file}.`]));
    document.head.append(tag);
  }

  function complain(errors) {
    parts.errors.replaceChildren(...errors.map((error) => el("p", {}, error)));
  }

  function build(root) {
    const names = saes.map((sae) => sae.name);
    const options = (first) => [...first, ...names].map((name) => el("option", { value: name }, name || "none"));
    const select = (label, key, first) => {
      const made = el("select", {}, options(first));
      made.addEventListener("change", () => go({ [key]: made.value || undefined }));
      parts[key] = made;
      return el("label", {}, label, made);
    };
    parts.errors = el("div", { class: "abs-x-errors", role: "alert" });
    parts.crumbs = el("nav", { "aria-label": "Where you are" });
    parts.by = el("select", {});
    parts.by.addEventListener("change", () => go({ by: parts.by.value, lead: undefined }));
    parts.said = el("p", { class: "abs-x-result", role: "status" });
    const sliders = Object.entries(SLIDERS).map(([key, label]) => {
      const input = el("input", { type: "range", "data-key": key });
      const value = el("output", {});
      input.addEventListener("input", () => go({ [key]: Number(input.value) }, true));
      parts[key] = { input, value };
      return el("label", {}, el("span", {}, label, " ", value), input);
    });
    const reset = el("button", { type: "button" }, "Thresholds of the run");
    reset.addEventListener("click", () => go({ lead: undefined, cosine: undefined, share: undefined, jump: undefined }));
    parts.show = el("select", {}, S.KINDS.map((kind) => el("option", { value: kind }, kind)));
    parts.show.addEventListener("change", () => go({ show: parts.show.value === "all" ? undefined : parts.show.value }));
    parts.find = el("input", { type: "search", placeholder: "regular expression", autocomplete: "off" });
    parts.find.addEventListener("input", () => go({ find: parts.find.value || undefined }, true));
    parts.filters = el("div", { class: "abs-x-controls" }, el("label", {}, "Words shown", parts.show), el("label", {}, "Find words", parts.find));
    parts.content = el("div", { class: "abs-x-columns" });
    const save = el("button", { type: "button" }, "Download what is shown (CSV)");
    save.addEventListener("click", download);
    const copy = el("button", { type: "button" }, "Copy the command");
    copy.addEventListener("click", copyCommand);
    parts.command = el("code", {});
    parts.copied = el("span", { role: "status" });
    root.replaceChildren(
      el("div", { class: "abs-x-controls" }, select("SAE", "sae", []), select("beside it", "with", [""])),
      parts.errors,
      el("details", { class: "abs-x-judge", open: root.clientWidth >= 560 },
        el("summary", {}, "Definition and thresholds"),
        el("label", {}, "judged by", parts.by),
        el("div", { class: "abs-x-sliders" }, sliders),
        reset),
      parts.said,
      parts.crumbs,
      parts.filters,
      parts.content,
      el("div", { class: "abs-x-foot" }, el("p", {}, save, " ", copy, " ", parts.copied), el("p", {}, "Computes this SAE's rates again: ", parts.command)),
    );
  }

  // Another state: with `quietly` the address changes without a step in the history.
  function go(changes, quietly) {
    const next = S.format({ ...now.asked, ...changes });
    if (quietly) location.replace(next);
    else location.hash = next;
  }

  function render() {
    const read = S.read(location.hash, saes.map((sae) => sae.name));
    load(read.state.sae, () => {
      const other = read.state.with;
      if (other) load(other, () => draw(read));
      else draw(read);
    });
  }

  function limitsFor(sae, state) {
    return (definition) => {
      const limits = J.limitsOf(sae);
      if (sae.about.leads[definition] !== undefined) limits.lead = sae.about.leads[definition];
      for (const key of Object.keys(SLIDERS)) if (state[key] !== undefined) limits[key] = state[key];
      return limits;
    };
  }

  function draw(read) {
    const first = loaded.get(read.state.sae);
    const { state, errors, definitions } = S.check(read, first, J);
    const names = [state.sae, state.with].filter(Boolean);
    const definition = state.by || definitions[definitions.length > 2 ? 1 : 0];
    now = { state, asked: { ...state, by: state.by }, columns: [] };
    if (state.with) errors.push(...tooWeak(loaded.get(state.with), state, definition));
    complain(errors);
    const view = S.view(state);
    const href = (changes) => S.format({ ...state, ...changes });
    parts.content.style.setProperty("--columns", names.length);
    const width = Math.max(260, Math.min(720, Math.floor(columnWidth(names.length))));
    const contexts = names.map((name) => {
      const sae = loaded.get(name);
      const limits = limitsFor(sae, state);
      const found = J.judge(sae, definition, limits(definition));
      return { name, sae, found, rates: J.rates(sae, found), state, definitions, limitsFor: limits, width, href: (changes) => href({ sae: name, with: name === state.sae ? state.with : state.sae, ...changes }) };
    });
    const highest = (values) => C.nice(Math.max(0.001, ...values.filter((value) => value !== null && !Number.isNaN(value))));
    const tops = {
      rates: highest(contexts.flatMap(({ sae, rates }) => [rates.mean, ...definitions.map((one) => V.meanRow(sae, one)).filter(Boolean).flatMap((row) => [row.high, row.null_high])])),
      letters: highest(contexts.flatMap(({ rates }) => rates.letters.map((row) => row.rate))),
    };
    now.columns = contexts.map((context) => ({ context, ...V.VIEWS[view]({ ...context, tops }) }));
    parts.content.replaceChildren(...now.columns.map(({ context, elements }) => el("section", { "aria-label": context.name }, names.length > 1 ? el("h2", { class: "abs-x-name" }, context.name) : null, elements)));
    controls(first, state, definitions, definition, view, contexts);
  }

  function tooWeak(sae, state, definition) {
    const low = Math.max(state.lead ?? sae.about.leads[definition] ?? 6, 0);
    return low < sae.about.smallest_lead - 1e-9 ? [`${state.with} was not ablated below a lead of ${sae.about.smallest_lead.toFixed(2)}: its rate at ${low} is that at its own least lead.`] : [];
  }

  function columnWidth(n) {
    return (parts.content.clientWidth - 24 * (n - 1)) / (parts.content.clientWidth < 620 ? 1 : n) - 2;
  }

  function controls(sae, state, definitions, definition, view, contexts) {
    const limits = limitsFor(sae, state)(definition);
    parts.sae.value = state.sae;
    parts.with.value = state.with || "";
    parts.by.replaceChildren(...definitions.map((one) => el("option", { value: one }, one)));
    parts.by.value = definition;
    const ablates = definition.startsWith("ablation");
    const used = { lead: ablates, cosine: definition !== J.FRACTION, share: !ablates, jump: true };
    for (const key of Object.keys(SLIDERS)) {
      const { input, value } = parts[key];
      const least = { lead: sae.about.smallest_lead, cosine: sae.about.smallest_cosine, share: 0.01, jump: sae.about.smallest_jump }[key];
      Object.assign(input, { min: least, max: S.MOST[key], step: "any", disabled: !used[key] });
      if (document.activeElement !== input || Number(input.value) !== limits[key]) input.value = limits[key];
      value.textContent = used[key] ? limits[key].toFixed(key === "lead" || key === "share" ? 2 : 3) : "not asked";
    }
    if (document.activeElement !== parts.find) parts.find.value = state.find || "";
    parts.show.value = state.show || "all";
    parts.filters.hidden = view !== "letter";
    parts.said.replaceChildren(...contexts.map(({ name, rates, found }, n) => {
      const judged = rates.letters.reduce((sum, row) => sum + row.n_judged, 0);
      const mean = Number.isNaN(rates.mean) ? "no letter counts" : C.percent(rates.mean, 2);
      return el("span", { "data-mean": rates.mean, "data-sae": name }, `${n ? " " : ""}${contexts.length > 1 ? name + ": " : ""}${found.definition}, mean rate ${mean} over ${rates.n_valid} letters, ${judged.toLocaleString("en")} words judged.`);
    }));
    crumbs(state, view);
    const base = sae.about.command;
    const run = { lead: sae.about.thresholds.min_lead, cosine: sae.about.thresholds.min_cosine, share: sae.about.thresholds.min_share, jump: sae.about.f1_jump };
    parts.command.textContent = base + Object.entries(FLAGS).filter(([key]) => state[key] !== undefined && state[key] !== run[key]).map(([key, flag]) => ` -p ${flag} ${state[key]}`).join("");
    parts.copied.textContent = "";
    document.documentElement.dataset.explorer = view;
  }

  function crumbs(state, view) {
    const clear = { letter: undefined, word: undefined, latent: undefined, find: undefined, show: undefined };
    const steps = [["All letters", clear]];
    if (state.letter) steps.push([`Letter ${state.letter.toUpperCase()}`, { word: undefined, latent: undefined }]);
    if (state.word) steps.push([`Word ${state.word.trim()}`, { latent: undefined }]);
    if (state.latent !== undefined) steps.push([`Latent ${state.latent}`, {}]);
    parts.crumbs.replaceChildren(...steps.flatMap(([said, changes], n) => {
      const last = n === steps.length - 1;
      return [n ? " › " : "", last ? el("span", { "aria-current": "page" }, said) : el("a", { href: S.format({ ...state, ...changes }) }, said)];
    }));
  }

  function download() {
    const rows = now.columns.flatMap((column) => column.rows);
    const columns = [...new Set(rows.flatMap(Object.keys))];
    const cell = (value) => {
      let text = value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
      if (typeof value === "string" && /^[=+@\t\r-]/.test(text)) text = "'" + text; // no formula for a spreadsheet
      return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    };
    const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))].map((row) => row.map(cell).join(","));
    const address = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    el("a", { href: address, download: "absorption-explorer.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  function copyCommand() {
    const said = (text) => (parts.copied.textContent = text);
    const select = () => {
      getSelection().selectAllChildren(parts.command);
      said(document.execCommand("copy") ? "Copied." : "Select it below.");
    };
    if (navigator.clipboard) navigator.clipboard.writeText(parts.command.textContent).then(() => said("Copied."), select);
    else select();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("absorption-explorer");
    saes = window.ABSORPTION_SAES || [];
    if (!saes.length) {
      root.replaceChildren(el("p", {}, "This build has judged no SAE: run chapter 5 (notebooks/05-absorption.ipynb) and build the book again."));
      return;
    }
    build(root);
    window.addEventListener("hashchange", render);
    let last = 0;
    window.addEventListener("resize", () => {
      if (now && parts.content.clientWidth !== last) render();
      last = parts.content.clientWidth;
    });
    render();
  });
})();
