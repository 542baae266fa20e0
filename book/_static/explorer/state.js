// What the explorer shows, as the fragment of its address: read, checked, and written again.
var AbsorptionState = (function () {
  "use strict";
  const KEYS = ["sae", "with", "letter", "word", "latent", "by", "lead", "cosine", "share", "jump", "show", "find"];
  const KINDS = ["all", "absorbed", "caught", "missed", "not ablated"];
  const MOST = { lead: 6, cosine: 0.3, share: 1, jump: 0.1 };
  const STEP = { lead: 0.05, cosine: 0.005, share: 0.01, jump: 0.005 };

  // The address "#a=1&b=2" as pairs; both "+" and "%20" are spaces.
  function pairs(fragment) {
    const parts = fragment.replace(/^#/, "").split("&").filter(Boolean);
    return parts.map((part) => {
      const at = part.indexOf("=");
      const [name, value] = at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
      try {
        return [decodeURIComponent(name), decodeURIComponent(value.replace(/\+/g, " "))];
      } catch {
        return [name, value]; // a stray percent sign
      }
    });
  }

  function format(state) {
    const kept = KEYS.filter((key) => state[key] !== undefined && state[key] !== "" && state[key] !== null);
    return "#" + kept.map((key) => key + "=" + encodeURIComponent(state[key])).join("&");
  }

  // Keys and SAEs: what can be checked before any data is loaded.
  function read(fragment, names) {
    const state = {};
    const errors = [];
    for (const [name, value] of pairs(fragment)) {
      if (!KEYS.includes(name)) {
        errors.push(`The address has "${name}", which is nothing here; allowed: ${KEYS.join(", ")}.`);
      } else if (value !== "") {
        state[name] = value;
      }
    }
    for (const key of ["sae", "with"]) {
      if (state[key] !== undefined && !names.includes(state[key])) {
        errors.push(`${key} is "${state[key]}"; allowed: ${names.join(", ")}.`);
        delete state[key];
      }
    }
    state.sae = state.sae || names[0];
    if (state.with === state.sae) delete state.with;
    return { state, errors };
  }

  function number(state, key, least, errors) {
    if (state[key] === undefined) return;
    const value = Number(state[key]);
    if (Number.isFinite(value) && value >= least && value <= MOST[key]) {
      state[key] = value;
      return;
    }
    const stopped = (key === "lead" && least > 0.01) || (key === "cosine" && least > 0);
    const because = stopped ? " (the run stopped its ablations early, so lower ones cannot be told)" : "";
    errors.push(`${key} is "${state[key]}"; allowed: numbers from ${least} to ${MOST[key]}${because}.`);
    delete state[key];
  }

  // The word that is meant: as it is written, or without its leading space.
  function findWord(sae, text) {
    const exact = sae.text.indexOf(text);
    return exact >= 0 ? exact : sae.text.indexOf(" " + text);
  }

  // Everything that needs the SAE's data; `judge` is AbsorptionJudge.
  function check(read_, sae, judge) {
    const state = { ...read_.state };
    const errors = [...read_.errors];
    const known = new Set(sae.rates.map((row) => row.definition));
    const definitions = judge.DEFINITIONS.filter((name) => known.has(name));
    if (state.by !== undefined && !definitions.includes(state.by)) {
      errors.push(`by is "${state.by}"; allowed: ${definitions.join("; ")}.`);
      delete state.by;
    }
    if (state.letter !== undefined && !/^[a-z]$/.test(state.letter)) {
      errors.push(`letter is "${state.letter}"; allowed: a to z.`);
      delete state.letter;
    }
    if (state.show !== undefined && !KINDS.includes(state.show)) {
      errors.push(`show is "${state.show}"; allowed: ${KINDS.join(", ")}.`);
      delete state.show;
    }
    if (state.find !== undefined) {
      try {
        new RegExp(state.find, "iu");
      } catch (error) {
        errors.push(`find is "${state.find}", which is no regular expression: ${error.message}.`);
        delete state.find;
      }
    }
    if (state.word !== undefined) {
      const at = findWord(sae, state.word);
      if (at < 0) {
        errors.push(`word is "${state.word}"; allowed: one of the test words that the probe gets right. They are listed by letter.`);
        delete state.word;
      } else {
        state.word = sae.text[at];
        state.letter = judge.LETTERS[sae.letter[at]];
      }
    }
    if (state.latent !== undefined) {
      if (!sae.latents.id.includes(Number(state.latent)) || !/^\d+$/.test(state.latent)) {
        errors.push(`latent is "${state.latent}"; allowed: one of the ${sae.latents.id.length} latents that a judged word or a neighbour has.`);
        delete state.latent;
      } else state.latent = Number(state.latent);
    }
    number(state, "lead", sae.about.smallest_lead, errors);
    number(state, "cosine", sae.about.smallest_cosine, errors);
    number(state, "share", 0.01, errors);
    number(state, "jump", sae.about.smallest_jump, errors);
    return { state, errors, definitions };
  }

  function view(state) {
    if (state.latent !== undefined) return "latent";
    if (state.word !== undefined) return "word";
    return state.letter !== undefined ? "letter" : "sae";
  }

  return { KEYS, KINDS, MOST, STEP, read, check, format, view, findWord };
})();
if (typeof module !== "undefined") module.exports = AbsorptionState;
