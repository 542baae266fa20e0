// The four views: each makes, for one SAE, elements to show and rows to download.
var AbsorptionViews = (function () {
  "use strict";
  const J = AbsorptionJudge, S = AbsorptionState, C = AbsorptionCharts, el = C.element;
  const ROWS = 150;
  const NAMES = { "absorption fraction": "absorption fraction (partial)" };

  function link(context, changes, ...content) {
    return el("a", { href: context.href(changes) }, ...content);
  }

  function shown(word) {
    return el("code", {}, word.replace(/ /g, "␣"));
  }

  function latentName(sae, latent, most = 40) {
    if (latent >= 0 && most === 0) return String(sae.latents.id[latent]);
    return latent < 0 ? "none" : `${sae.latents.id[latent]}: ${C.short(sae.latents.names[latent], most)}`;
  }

  function latentLink(context, latent, most) {
    if (latent === undefined || latent < 0) return "–";
    return link(context, { latent: context.sae.latents.id[latent] }, latentName(context.sae, latent, most));
  }

  function figure(title, caption, drawing) {
    const box = el("figure", { class: "abs-x-figure" }, el("p", { class: "abs-x-title" }, title), drawing);
    const enlarge = el("button", { type: "button", class: "abs-x-small", "aria-label": `Enlarge: ${title}` }, "Enlarge");
    enlarge.addEventListener("click", () => {
      const close = el("button", { type: "button", autofocus: true }, "Close");
      const copy = box.querySelector("svg").cloneNode(true);
      copy.removeAttribute("width");
      copy.removeAttribute("height");
      const dialog = el("dialog", { class: "abs-x abs-x-dialog", "aria-label": title }, close, el("p", {}, title), copy);
      close.addEventListener("click", () => dialog.close());
      dialog.addEventListener("click", (event) => event.target.closest && event.target.closest("a") && dialog.close());
      dialog.addEventListener("close", () => dialog.remove());
      document.body.append(dialog);
      dialog.showModal();
    });
    box.append(el("figcaption", {}, caption, " ", enlarge));
    return box;
  }

  function table(columns, rows, label) {
    const head = el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column)));
    const body = rows.map((row) => el("tr", {}, row.map((cell) => el("td", { class: typeof cell === "number" ? "n" : null }, typeof cell === "number" ? digits(cell) : cell))));
    return el("div", { class: "abs-x-scroll", tabindex: 0, role: "region", "aria-label": label }, el("table", {}, el("thead", {}, head), el("tbody", {}, body)));
  }

  function digits(value) {
    return Number.isNaN(value) ? "–" : Number.isInteger(value) ? String(value) : value.toPrecision(3);
  }

  function label(found, i) {
    const value = found.labels[i].value;
    if (value > 0) return value < 1 ? `absorbed to ${C.percent(value, 0)}` : "absorbed";
    if (!found.candidate[i]) return "caught";
    return found.judged[i] ? "missed" : "not ablated";
  }

  function kind(found, i) {
    return found.labels[i].value > 0 ? "absorbed" : label(found, i);
  }

  function meanRow(sae, definition) {
    return sae.rates.find((row) => row.definition === definition && row.letter === "mean");
  }

  // ---- one SAE
  function saeView(context) {
    const { sae, found, rates, name } = context;
    const tiles = ["precision", "recall", "f1"].map((metric) => {
      const [probe, main] = ["LR probe", "main latents, any on"].map((what) => sae.quality.find((row) => row.what === what && row.metric === metric));
      const title = metric === "f1" ? "F1" : metric[0].toUpperCase() + metric.slice(1);
      return el("div", { class: "abs-x-tile" },
        el("span", { class: "abs-x-label" }, title),
        el("strong", {}, main.value.toFixed(2)),
        el("span", {}, `main latents [${main.low.toFixed(2)}, ${main.high.toFixed(2)}]`),
        el("span", {}, `probe ${probe.value.toFixed(2)} [${probe.low.toFixed(2)}, ${probe.high.toFixed(2)}]`));
    });
    const rows = context.definitions.map((definition) => ({ ...meanRow(sae, definition), name: NAMES[definition] || definition, now: definition === found.definition ? rates.mean : undefined }));
    const a = sae.about;
    const facts = `${a.d_sae.toLocaleString("en")} latents at ${a.hook}; ${Math.round(a.l0_words)} of them are on at a word. ${a.n_words.toLocaleString("en")} words, of which ${sae.n.toLocaleString("en")} test words that the probe gets right. ${rows[0].valid} letters count for a mean: those whose main latents find their letter.`;
    return {
      elements: [
        el("p", {}, facts),
        el("div", { class: "abs-x-tiles" }, tiles),
        figure("Rates under every definition", "Means over the letters that count, at the thresholds of the run, with 95% intervals over words. Grey: the null, what the same rule finds along other directions. Triangle: the rate now, at the thresholds set above.", C.rates(rows, context.width, context.tops.rates)),
        lettersFigure(context),
      ],
      rows: [...sae.rates.map((row) => ({ sae: name, ...row })), ...rates.letters.map((row) => ({ sae: name, definition: `now: ${found.definition}`, ...row }))],
    };
  }

  function lettersFigure(context) {
    const by = new Map(context.rates.letters.map((row) => [row.letter, row]));
    const rows = Array.from(J.LETTERS, (letter) => {
      const row = by.get(letter);
      const about = row ? `${C.percent(row.rate, 2)} absorbed; ${row.n_candidates} candidates of ${row.n_right} words${row.valid ? "" : "; does not count for the mean"}` : "probed too badly to be judged";
      return { letter, rate: row ? row.rate : NaN, valid: row && row.valid, href: context.href({ letter, word: undefined, latent: undefined }), said: `${letter.toUpperCase()}: ${about}` };
    });
    return figure("Letters", `Rate now of each letter by ${context.found.definition}; pale: does not count. Choose a letter to see its words.`, C.letters(rows, context.width, context.tops.letters, context.state.letter));
  }

  // ---- one letter
  function letterView(context) {
    const { sae, found, state, name } = context;
    const l = J.LETTERS.indexOf(state.letter);
    const nMain = found.counts[l];
    const scores = sae.scores[state.letter] || [];
    const place = new Map(sae.latents.id.map((id, at) => [id, at]));
    const main = scores.slice(0, nMain).map((row) => place.get(row.latent));
    const mine = sae.byLetter[l];
    const absorbing = new Map();
    for (const i of mine) {
      const { value, latent } = found.labels[i];
      if (value > 0) absorbing.set(latent, [...(absorbing.get(latent) || []), i]);
    }
    const order = [...absorbing].sort((a, b) => b[1].length - a[1].length);
    const cosineOf = new Map(); // of the latents that some word of the letter has
    mine.forEach((i) => J.latentsOf(sae, i, nMain).forEach((one) => cosineOf.set(one.latent, one.cosine)));
    const marks = [
      ...order.filter(([latent]) => cosineOf.has(latent)).map(([latent, words]) => ({ kind: "absorbing", value: cosineOf.get(latent), href: context.href({ latent: sae.latents.id[latent] }), said: `absorbing latent ${latentName(sae, latent)}, cosine ${cosineOf.get(latent).toFixed(3)}, ${words.length} words` })),
      ...main.filter((latent) => cosineOf.has(latent)).map((latent) => ({ kind: "main", value: cosineOf.get(latent), href: context.href({ latent: sae.latents.id[latent] }), said: `main latent ${latentName(sae, latent)}, cosine ${cosineOf.get(latent).toFixed(3)}` })),
    ];
    const row = context.rates.letters.find((one) => one.letter === state.letter);
    const gate = scores[nMain - 1] || {};
    const elements = [
      lettersFigure(context),
      el("p", { class: "abs-x-result", "data-rate": row ? row.rate : null },
        row
          ? `${state.letter.toUpperCase()}: ${C.percent(row.rate, 2)} absorbed. ${row.n_right} words, ${row.n_candidates} candidates, ${row.n_judged} judged, ${row.n_absorbed} absorbed. The main latents find ${C.percent(gate.recall, 0)} of the letter's training words with precision ${C.percent(gate.precision, 0)}${row.valid ? "" : ": the letter does not count for the mean"}.`
          : "The letter's probe is not good enough for a rate."),
      el("h3", {}, "Main latents"),
      table(["latent", "strongest on", "cosine"], main.map((latent) => [latentLink(context, latent, 0), sae.latents.names[latent], cosineOf.get(latent) ?? NaN]), "Main latents"),
      el("h3", {}, "Absorbing latents"),
      order.length
        ? table(["latent", "words absorbed"], order.slice(0, 30).map(([latent, words]) => [latentLink(context, latent), el("span", {}, words.slice(0, 4).map((i, n) => [n ? ", " : "", link(context, { word: sae.text[i] }, shown(sae.text[i]))]).flat(), words.length > 4 ? ` and ${words.length - 4} more` : "")]), "Absorbing latents")
        : el("p", {}, "None at these thresholds."),
      figure("k-sparse probing", "F1 of the k best latents together on test words, with 95% intervals; full dots: main latents, up to the first that adds no more than the F1 jump.", C.curve(scores, context.width, nMain)),
      figure("Cosines with the probe", "Decoder cosines of all latents with the letter's probe (heights: number of latents, on a log scale). Tall: main latents; short: absorbing ones.", C.cosines(sae.cosines.edges, sae.cosines.counts[state.letter], marks, context.width)),
      el("h3", {}, "Words"),
      ...wordTable(context, mine),
    ];
    const rows = mine.map((i) => ({ sae: name, letter: state.letter, word: sae.text[i], label: label(found, i), ...csvLabel(sae, found.labels[i]) }));
    return { elements, rows };
  }

  function csvLabel(sae, { reason, latent, cosine, strength, lead, value }) {
    return { value, reason, latent: latent < 0 ? "" : sae.latents.id[latent], strongest_on: latent < 0 ? "" : sae.latents.names[latent], cosine, strength, lead };
  }

  function wordTable(context, mine) {
    const { sae, found, state } = context;
    const find = state.find === undefined ? null : new RegExp(state.find, "iu");
    const wanted = state.show || "all";
    const ranks = { absorbed: 0, missed: 1, "not ablated": 2, caught: 3 };
    const kept = mine.filter((i) => (wanted === "all" || kind(found, i) === wanted) && (!find || find.test(sae.text[i].trim())));
    kept.sort((a, b) => ranks[kind(found, a)] - ranks[kind(found, b)] || found.labels[b].value - found.labels[a].value || (sae.text[a].trim().toLowerCase() < sae.text[b].trim().toLowerCase() ? -1 : 1));
    const line = (i) => {
      const one = found.labels[i];
      return [link(context, { word: sae.text[i] }, shown(sae.text[i])), el("span", { class: "abs-x-tag " + kind(found, i).replace(" ", "-") }, label(found, i)), one.value > 0 ? latentLink(context, one.latent, 28) : one.reason];
    };
    const parts = [table(["word", "label", "absorbing latent, or why not absorbed"], kept.slice(0, ROWS).map(line), "Words of the letter")];
    const counted = `${kept.length} of ${mine.length} words`;
    parts.push(el("p", { class: "abs-x-note" }, kept.length > ROWS ? `${counted}; the first ${ROWS} are shown, the CSV has all.` : `${counted}.`));
    return parts;
  }

  // ---- one word
  function wordView(context) {
    const { sae, state, name, found } = context;
    const i = sae.text.indexOf(state.word);
    if (i < 0) return { elements: [el("p", {}, `"${state.word}" is not among the judged words of this SAE.`)], rows: [] };
    const l = sae.letter[i], nMain = found.counts[l];
    const kept = J.latentsOf(sae, i, nMain);
    const known = kept.filter((one) => !Number.isNaN(one.effect)).sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, 8);
    const bar = (value, one, said) => ({ name: latentName(sae, one.latent, 60), value, kind: one.main ? "main" : one.latent === found.labels[i].latent && found.labels[i].value > 0 ? "absorbing" : "", href: context.href({ latent: sae.latents.id[one.latent], word: undefined, letter: undefined }), said });
    const elements = [
      el("p", { class: "abs-x-result" }, shown(sae.text[i]), ` by ${found.definition}: `, el("strong", {}, label(found, i)), found.labels[i].value > 0 ? [" by ", latentLink(context, found.labels[i].latent)] : found.labels[i].reason ? `: ${found.labels[i].reason}` : "", "."),
    ];
    if (known.length) {
      elements.push(figure("What each latent is worth to the answer", "Change of the answer's metric (logit of the right letter above the mean of the others) when one latent is removed; the largest. Latents are named by their strongest words; orange: absorbing, blue: main.", C.bars(known.map((one) => bar(one.effect, one, `removing ${latentName(sae, one.latent)} changes the metric by ${one.effect.toFixed(3)}`)), context.width, "Effects of removing latents")));
    } else {
      elements.push(el("p", { class: "abs-x-note" }, sae.led[i] >= 0 ? "The run removed this word's latents only until its label was known, and kept no effects." : "The latents of this word were not removed, so there are no effects: a main latent is on, or other candidates were drawn."));
    }
    const along = [...kept].sort((a, b) => b.projection - a.projection);
    const usual = usualMain(sae, l, nMain);
    elements.push(
      el("p", {}, `The word's own projection on the ${J.LETTERS[l].toUpperCase()} probe is ${sae.total[i].toFixed(2)}. `, Number.isNaN(usual) ? "The main latents are on at none of the letter's words." : `Where a main latent is on, the main latents write ${usual.toFixed(2)} along the probe (median over the letter's words); here they write ${kept.filter((one) => one.main).reduce((sum, one) => sum + one.projection, 0).toFixed(2)}.`),
      figure("What each latent writes along the probe", "Activation times decoder row, along the letter's unit probe direction: the latents that definitions by projection look at.", C.bars(along.map((one) => bar(one.projection, one, `${latentName(sae, one.latent)} writes ${one.projection.toFixed(3)} along the probe`)), context.width, "Contributions along the probe")),
      el("h3", {}, "Under each definition"),
    );
    const rows = context.definitions.map((definition) => {
      const all = definition === found.definition ? found : J.judge(sae, definition, context.limitsFor(definition));
      return { definition, all, one: all.labels[i] };
    });
    elements.push(table(["definition", "label", "why not, or by which latent"], rows.map(({ definition, all, one }) => [NAMES[definition] || definition, label(all, i), one.value > 0 ? latentLink(context, one.latent) : one.reason]), "Labels under each definition"));
    return {
      elements,
      rows: kept.map((one) => ({ sae: name, word: sae.text[i], latent: sae.latents.id[one.latent], strongest_on: sae.latents.names[one.latent], main: one.main, activation: one.activation, cosine: one.cosine, projection: one.projection, effect: one.effect })),
    };
  }

  // Median of what the main latents write together, over the letter's words where one is on.
  function usualMain(sae, l, nMain) {
    const bits = (1 << nMain) - 1;
    const sums = sae.byLetter[l].filter((i) => sae.on[i] & bits).map((i) => J.latentsOf(sae, i, nMain).reduce((sum, one) => sum + (one.main ? one.projection : 0), 0));
    sums.sort((a, b) => a - b);
    return sums.length ? (sums[(sums.length - 1) >> 1] + sums[sums.length >> 1]) / 2 : NaN;
  }

  // ---- one latent
  function latentView(context) {
    const { sae, state, name, found } = context;
    const at = sae.latents.id.indexOf(state.latent);
    if (at < 0) return { elements: [el("p", {}, `Latent ${state.latent} of the other SAE; latents of two SAEs have nothing to do with each other.`)], rows: [] };
    const letters = Array.from(J.LETTERS).filter((letter, l) => (sae.scores[letter] || []).slice(0, found.counts[l]).some((row) => row.latent === state.latent));
    const absorbed = [];
    const uses = [];
    for (let i = 0; i < sae.n; i++) {
      if (found.labels[i].value > 0 && found.labels[i].latent === at) absorbed.push(i);
      for (let row = sae.start[i]; row < sae.start[i + 1]; row++) {
        if (sae.pairLatent[sae.pair[row]] === at) uses.push({ i, activation: sae.activation[row], cosine: sae.pairCosine[sae.pair[row]] });
      }
    }
    uses.sort((a, b) => b.activation - a.activation);
    const words = (list) => list.map((i, n) => [n ? ", " : "", link(context, { word: sae.text[i], latent: undefined }, shown(sae.text[i]))]).flat();
    const elements = [
      el("p", { class: "abs-x-result" }, `Latent ${state.latent} of ${name}. Strongest on: `, el("strong", {}, sae.latents.names[at]), `. It is on at ${sae.latents.on[at]} of ${sae.about.n_words.toLocaleString("en")} words.`),
      letters.length ? el("p", {}, "A main latent of ", letters.map((letter, n) => [n ? ", " : "", link(context, { letter, latent: undefined }, letter.toUpperCase())]).flat(), ".") : null,
      el("p", {}, absorbed.length ? [`By ${found.definition} it absorbs ${absorbed.length}: `, ...words(absorbed.slice(0, 40)), absorbed.length > 40 ? " …" : ""] : `By ${found.definition} it absorbs no word.`),
      el("h3", {}, "Nearest decoder rows"),
      sae.latents.near[at].length
        ? table(["latent", "strongest on", "cosine"], sae.latents.near[at].map(([other, cosine]) => [latentLink(context, other, 0), sae.latents.names[other], cosine]), "Nearest decoder rows")
        : el("p", {}, "Kept only for latents that a judged word has."),
      ...contexts(sae, state.latent),
      ...metaLatents(sae, state.latent),
      el("h3", {}, "Judged words in which it plays a part"),
      uses.length
        ? table(["word", "activation", "cosine with the letter's probe"], uses.slice(0, 60).map((use) => [link(context, { word: sae.text[use.i], latent: undefined }, shown(sae.text[use.i])), use.activation, use.cosine]), "Words of the latent")
        : el("p", {}, "None: it is here as a neighbour of another."),
    ];
    return { elements, rows: uses.map((use) => ({ sae: name, latent: state.latent, word: sae.text[use.i], activation: use.activation, cosine: use.cosine, absorbed: absorbed.includes(use.i) })) };
  }

  // The places in running text where the latent is strongest, its token marked.
  function contexts(sae, id) {
    const found = (sae.contexts || {})[id] || [];
    if (!found.length) return [];
    const line = (text) => {
      const [before, rest = ""] = text.split("⟦");
      const [token, behind = ""] = rest.split("⟧");
      return el("li", {}, before, el("mark", {}, token), behind);
    };
    return [el("h3", {}, "Strongest in running text"), el("ol", { class: "abs-x-contexts" }, found.map(line))];
  }

  // What a meta-SAE makes of the decoder row, where a chapter asked.
  function metaLatents(sae, id) {
    const found = (sae.meta || {})[id] || [];
    if (!found.length) return [];
    const line = (one) => [`${one.meta}`, one.weight, one.points_to ? one.points_to.toUpperCase() : "none", one.also_in];
    return [
      el("h3", {}, "Its meta-latents"),
      table(["meta-latent", "weight", "letter it points to", "other latents with it, by their strongest words"], found.map(line), "Meta-latents of the latent"),
    ];
  }

  const VIEWS = { sae: saeView, letter: letterView, word: wordView, latent: latentView };
  return { VIEWS, meanRow, el };
})();
