// The definitions of absorption, clause for clause as in the library (absorption.definitions), on one SAE's stored
// evidence: labels and rates at any threshold. No part of the page is touched here.
var AbsorptionJudge = (function () {
  "use strict";
  const LETTERS = "abcdefghijklmnopqrstuvwxyz";
  const ABLATION = "ablation";
  const RELATIVE = "ablation, relative lead";
  const FULL = "full absorption";
  const FRACTION = "absorption fraction";
  const DEFINITIONS = [ABLATION, RELATIVE, FULL, FRACTION];
  const MAIN_ON = "a main latent is on";
  const NOTHING_ON = "no latent is on";
  const NOT_POSITIVE = "the word does not project on the probe";
  const SHARE_TOO_SMALL = "too small a share of the projection";
  const MAIN_CARRIES_ALL = "the main latents carry the whole projection";
  const AGAINST = "the leading effect is not negative";
  const NOT_ALIGNED = "the leading latent is not aligned with the probe";
  const NO_LEAD = "the leading effect does not lead by enough";
  const NOT_CHOSEN = "a candidate that was not ablated";
  const REFUTED = "not the leading effect, or not aligned";
  const KINDS = {
    u1: Uint8Array,
    u2: Uint16Array,
    u4: Uint32Array,
    f4: Float32Array,
    f8: Float64Array,
  };

  function unpack([kind, text]) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new KINDS[kind](bytes.buffer);
  }

  // A script's value with its arrays unpacked and each word's place among the kept latents.
  function open(value) {
    const { words, pairs, rows, effects, leaders, latents } = value;
    const n = words.text.length;
    const size = unpack(words.size);
    const start = new Uint32Array(n + 1);
    for (let i = 0; i < n; i++) start[i + 1] = start[i] + size[i];
    const effect = new Float32Array(start[n]).fill(NaN);
    const removed = unpack(effects.row);
    const sizes = unpack(effects.effect);
    removed.forEach((row, i) => (effect[row] = sizes[i]));
    const led = new Int32Array(n).fill(-1); // each word's place among the leaders
    const word = unpack(leaders.word);
    word.forEach((at, i) => (led[at] = i));
    const letter = unpack(words.letter);
    const place = unpack(words.place);
    const byLetter = Array.from(LETTERS, () => []);
    letter.forEach((l, i) => byLetter[l].push(i));
    byLetter.forEach((mine) => mine.sort((a, b) => place[a] - place[b]));
    return {
      ...value,
      n,
      start,
      effect,
      led,
      byLetter,
      letter,
      place,
      text: words.text,
      total: unpack(words.total),
      on: unpack(words.on),
      pairLatent: unpack(pairs.latent),
      pairCosine: unpack(pairs.cosine),
      pair: unpack(rows.pair),
      activation: unpack(rows.activation),
      norm: unpack(latents.norm),
      leaders: {
        exact: unpack(leaders.exact),
        latent: Int32Array.from(unpack(leaders.latent), (l) => l - 1), // -1: no latent is on, or unknown
        cosine: unpack(leaders.cosine),
        effect: unpack(leaders.effect),
        lead: unpack(leaders.lead),
      },
    };
  }

  function limitsOf(sae) {
    const t = sae.about.thresholds;
    return {
      lead: t.min_lead,
      cosine: t.min_cosine,
      share: t.min_share,
      jump: sae.about.f1_jump,
      fractionCosine: t.fraction_cosine,
      maxAbsorbers: t.max_absorbers,
      maxCandidates: t.max_candidates,
    };
  }

  // Number of main latents: one, and each further one while F1 rises by more than the jump.
  function countMain(scores, jump) {
    let n = 1;
    while (n < scores.length && scores[n].f1 > scores[n - 1].f1 + jump) n++;
    return n;
  }

  function mainCounts(sae, jump) {
    return Array.from(LETTERS, (letter) => countMain(sae.scores[letter] || [], jump));
  }

  // The kept latents of a word: latent (place in the file), cosine, activation, projection, effect, whether main.
  function latentsOf(sae, i, nMain) {
    const scores = sae.scores[LETTERS[sae.letter[i]]] || [];
    const main = new Set(scores.slice(0, nMain).map((row) => row.latent));
    const found = [];
    for (let row = sae.start[i]; row < sae.start[i + 1]; row++) {
      const latent = sae.pairLatent[sae.pair[row]];
      const cosine = sae.pairCosine[sae.pair[row]];
      found.push({
        latent,
        cosine,
        activation: sae.activation[row],
        projection: sae.activation[row] * sae.norm[latent] * cosine,
        effect: sae.effect[row],
        main: main.has(sae.latents.id[latent]),
      });
    }
    return found;
  }

  function label(reason, latent, cosine, strength, lead, value) {
    return { reason, latent, cosine, strength, lead, value: value === undefined ? 0 : value };
  }

  function byAblation(sae, i, limits, minLead, mainOn, chosen) {
    if (mainOn) return label(MAIN_ON, -1);
    const at = sae.led[i];
    if (!chosen || at < 0) return label(NOT_CHOSEN, -1);
    const { exact, latent, cosine, effect, lead } = sae.leaders;
    if (!exact[at]) return label(REFUTED, -1);
    if (latent[at] < 0) return label(NOTHING_ON, -1);
    const about = [latent[at], cosine[at], effect[at], lead[at]];
    if (!(effect[at] < 0)) return label(AGAINST, ...about);
    if (!(cosine[at] >= limits.cosine)) return label(NOT_ALIGNED, ...about);
    return lead[at] >= minLead ? label("", ...about, 1) : label(NO_LEAD, ...about);
  }

  function byFull(sae, i, limits, mine, mainOn) {
    if (mainOn) return label(MAIN_ON, -1);
    if (!mine.length) return label(NOTHING_ON, -1);
    let top = mine[0];
    for (const one of mine) if (one.projection > top.projection) top = one;
    if (!(top.cosine >= limits.cosine)) return label(NOT_ALIGNED, top.latent, top.cosine);
    if (sae.total[i] <= 0) return label(NOT_POSITIVE, top.latent, top.cosine);
    const share = top.projection / sae.total[i];
    const held = share >= limits.share;
    return label(held ? "" : SHARE_TOO_SMALL, top.latent, top.cosine, share, NaN, held ? 1 : 0);
  }

  function byFraction(sae, i, limits, mine) {
    let main = 0;
    for (const one of mine) if (one.main) main += one.projection;
    const others = mine.filter((one) => !one.main && one.cosine >= limits.fractionCosine && one.projection > 0);
    others.sort((a, b) => b.projection - a.projection);
    const absorbers = others.slice(0, limits.maxAbsorbers);
    let carried = 0;
    for (const one of absorbers) carried += one.projection;
    const total = sae.total[i];
    if (total <= 0) return label(NOT_POSITIVE, -1);
    if (main >= total) return label(MAIN_CARRIES_ALL, -1);
    if (carried / total < limits.share) return label(SHARE_TOO_SMALL, -1, NaN, carried / total);
    if (!absorbers.length) return label(SHARE_TOO_SMALL, -1, NaN, 0);
    const about = [absorbers[0].latent, absorbers[0].cosine, carried / total, NaN];
    if (main <= 0) return label("", ...about, 1);
    const absorbed = Math.min(carried, total - main);
    return label("", ...about, absorbed / (absorbed + main));
  }

  // Labels of every word under one definition. `limits.lead` is the lead of both definitions by ablation.
  function judge(sae, definition, limits) {
    const counts = mainCounts(sae, limits.jump);
    const labels = new Array(sae.n);
    const candidate = new Uint8Array(sae.n);
    const judged = new Uint8Array(sae.n);
    const ablates = definition === ABLATION || definition === RELATIVE;
    sae.byLetter.forEach((mine, l) => {
      const bits = (1 << counts[l]) - 1;
      let taken = 0;
      for (const i of mine) {
        const mainOn = (sae.on[i] & bits) !== 0;
        candidate[i] = mainOn ? 0 : 1;
        if (ablates) {
          const chosen = !mainOn && taken < limits.maxCandidates;
          if (!mainOn) taken++;
          judged[i] = chosen && sae.led[i] >= 0 ? 1 : 0;
          labels[i] = byAblation(sae, i, limits, limits.lead, mainOn, chosen);
        } else {
          judged[i] = 1;
          const kept = latentsOf(sae, i, counts[l]);
          labels[i] =
            definition === FULL ? byFull(sae, i, limits, kept, mainOn) : byFraction(sae, i, limits, kept);
        }
      }
    });
    return { definition, limits, labels, candidate, judged, counts };
  }

  // A letter's rate: the share of its words that could be judged times the mean value of those that were.
  function letterRate(sae, found, letter) {
    const mine = sae.byLetter[LETTERS.indexOf(letter)];
    let candidates = 0;
    let judged = 0;
    let value = 0;
    let absorbed = 0;
    for (const i of mine) {
      candidates += found.candidate[i];
      if (!found.judged[i]) continue;
      judged++;
      value += found.labels[i].value;
      absorbed += found.labels[i].value > 0 ? 1 : 0;
    }
    const eligible = judged === mine.length ? judged : candidates;
    const share = mine.length ? eligible / mine.length : NaN;
    const rate = share === 0 ? 0 : share * (value / judged);
    return { letter, rate, n_right: mine.length, n_candidates: candidates, n_judged: judged, n_absorbed: absorbed };
  }

  // Rates of the letters that are judged, and their mean over those whose main latents pass the gate.
  function rates(sae, found) {
    const letters = Array.from(sae.about.letters, (letter) => {
      const row = (sae.scores[letter] || [])[found.counts[LETTERS.indexOf(letter)] - 1];
      return { ...letterRate(sae, found, letter), valid: Boolean(row && row.valid) };
    }).filter((row) => row.n_right > 0);
    const known = letters.filter((row) => row.valid && !Number.isNaN(row.rate));
    const mean = known.reduce((sum, row) => sum + row.rate, 0) / known.length;
    return { letters, mean, n_valid: letters.filter((row) => row.valid).length };
  }

  return {
    LETTERS,
    DEFINITIONS,
    ABLATION,
    RELATIVE,
    FULL,
    FRACTION,
    REFUTED,
    NOT_CHOSEN,
    open,
    limitsOf,
    mainCounts,
    latentsOf,
    judge,
    rates,
  };
})();
if (typeof module !== "undefined") module.exports = AbsorptionJudge;
