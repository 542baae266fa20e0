// Small drawings as SVG, in the page's own ink. Text is set as text, never as markup.
var AbsorptionCharts = (function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    return fill(made, attributes, children);
  }

  function shape(name, attributes, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
  }

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== "") made.append(child);
    }
    return made;
  }

  function svg(width, height, label, ...children) {
    const about = { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label };
    return shape("svg", about, ...children);
  }

  function text(x, y, said, attributes) {
    return shape("text", { x, y, ...attributes }, said);
  }

  function short(said, most) {
    return said.length > most ? said.slice(0, most - 1) + "…" : said;
  }

  function nice(top) {
    if (!(top > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(top));
    return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= top * 0.999);
  }

  function percent(value, digits = 1) {
    return value === null || Number.isNaN(value) ? "–" : (100 * value).toFixed(digits) + "%";
  }

  // Rates with intervals over their nulls: rows of {name, rate, low, high, null, null_low, null_high, now}.
  function rates(rows, width, top) {
    const left = 4, right = width - 8, high = 46, axis = rows.length * high + 14;
    const x = (value) => left + ((right - left) * Math.min(Math.max(value, 0), top)) / top;
    const parts = [0, 0.25, 0.5, 0.75, 1].map((part) => [
      shape("line", { class: "rule", x1: x(part * top), x2: x(part * top), y1: 4, y2: axis - 12 }),
      text(x(part * top), axis + 2, percent(part * top), { class: "tick", "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" }),
    ]);
    rows.forEach((row, i) => {
      const y = i * high + 16;
      const said = `${row.name}: ${percent(row.rate, 2)}, interval ${percent(row.low, 2)} to ${percent(row.high, 2)}, null ${percent(row.null, 2)}`;
      parts.push(
        text(left, y, row.name, { class: "name" }),
        row.null === null
          ? null
          : shape("rect", { class: "null", x: x(row.null_low), width: Math.max(2, x(row.null_high) - x(row.null_low)), y: y + 7, height: 12 }, shape("title", {}, said)),
        row.rate === null ? null : shape("line", { class: "interval", x1: x(row.low), x2: x(row.high), y1: y + 13, y2: y + 13 }),
        row.rate === null ? null : shape("circle", { class: "dot", cx: x(row.rate), cy: y + 13, r: 5 }, shape("title", {}, said)),
        row.now === undefined || Number.isNaN(row.now) ? null : shape("path", { class: "now", d: `M${x(row.now)} ${y + 5}l5 -7h-10z` }, shape("title", {}, `now: ${percent(row.now, 2)}`)),
        text(right, y, percent(row.rate, 2), { class: "value", "text-anchor": "end" }),
      );
    });
    return svg(width, axis + 8, "Mean rates under every definition", parts);
  }

  // Letters as columns, each a link: rows of {letter, rate, valid, href, said}.
  function letters(rows, width, top, current) {
    const high = 120, step = width / rows.length;
    const parts = [shape("line", { class: "rule", x1: 0, x2: width, y1: high, y2: high }), text(0, 11, percent(top), { class: "tick" })];
    rows.forEach((row, i) => {
      const size = row.rate > 0 ? Math.max(2, ((high - 14) * row.rate) / top) : 0;
      const kind = "letter" + (row.valid ? "" : " pale") + (row.letter === current ? " current" : "");
      parts.push(
        shape("a", { href: row.href, class: kind, "aria-label": row.said, "aria-current": row.letter === current ? "true" : null },
          shape("title", {}, row.said),
          shape("rect", { class: "hit", x: i * step, y: 0, width: step, height: high + 20 }),
          shape("rect", { class: "bar", x: i * step + step * 0.15, width: step * 0.7, y: high - size, height: size }),
          text(i * step + step / 2, high + 15, row.letter, { "text-anchor": "middle" })),
      );
    });
    return svg(width, high + 22, "Rate of each letter; every column is a link", parts);
  }

  // Columns of a histogram with marks: marks of {value, kind, said, href}; heights on a log scale.
  function cosines(edges, counts, marks, width) {
    const high = 110, tall = Math.log10(1 + Math.max(...counts));
    const low = Math.min(edges[0], ...marks.map((mark) => mark.value));
    const top = Math.max(edges[edges.length - 1], ...marks.map((mark) => mark.value));
    const x = (value) => 4 + ((width - 8) * (value - low)) / (top - low);
    const parts = counts.map((count, i) =>
      count ? shape("rect", { class: "count", x: x(edges[i]), width: Math.max(1, x(edges[i + 1]) - x(edges[i]) - 0.5), y: high - (80 * Math.log10(1 + count)) / tall, height: (80 * Math.log10(1 + count)) / tall },
        shape("title", {}, `${count} latents from ${edges[i].toFixed(2)} to ${edges[i + 1].toFixed(2)}`)) : null,
    );
    marks.forEach((mark) =>
      parts.push(shape("a", { href: mark.href, class: "mark " + mark.kind, "aria-label": mark.said }, shape("title", {}, mark.said),
        shape("path", { d: mark.kind === "main" ? `M${x(mark.value)} ${high}v-92` : `M${x(mark.value)} ${high}v-58` }),
        shape("circle", { cx: x(mark.value), cy: mark.kind === "main" ? high - 94 : high - 60, r: 4.5 }))),
    );
    for (const value of [low, 0, top]) parts.push(text(x(value), high + 15, value.toFixed(2), { class: "tick", "text-anchor": value === low ? "start" : value === top ? "end" : "middle" }));
    return svg(width, high + 22, "Decoder cosines of all latents with the letter's probe", parts);
  }

  // F1 of the k best latents: rows of {k, f1, f1_low, f1_high}; the first nMain are main latents.
  function curve(rows, width, nMain) {
    const high = 120, x = (k) => 34 + ((width - 44) * (k - 1)) / Math.max(rows.length - 1, 1), y = (f1) => 6 + (high - 6) * (1 - f1);
    const parts = [0, 0.5, 1].map((f1) => [shape("line", { class: "rule", x1: 30, x2: width - 4, y1: y(f1), y2: y(f1) }), text(24, y(f1) + 4, f1, { class: "tick", "text-anchor": "end" })]);
    parts.push(shape("path", { class: "curve", d: rows.map((row, i) => (i ? "L" : "M") + x(row.k) + " " + y(row.f1)).join("") }));
    rows.forEach((row) => {
      const said = `k ${row.k}: F1 ${row.f1.toFixed(3)}, interval ${row.f1_low.toFixed(3)} to ${row.f1_high.toFixed(3)}, latent ${row.latent}`;
      parts.push(
        shape("line", { class: "interval", x1: x(row.k), x2: x(row.k), y1: y(row.f1_low), y2: y(row.f1_high) }),
        shape("circle", { class: row.k <= nMain ? "dot" : "dot pale", cx: x(row.k), cy: y(row.f1), r: 4 }, shape("title", {}, said)),
        text(x(row.k), high + 15, row.k, { class: "tick", "text-anchor": "middle" }),
      );
    });
    return svg(width, high + 22, "F1 of the k best latents together", parts);
  }

  // Bars to the left and right of zero, one a line: rows of {name, value, kind, said, href}.
  function bars(rows, width, unit) {
    const high = 40, low = Math.min(0, ...rows.map((row) => row.value)), top = Math.max(0, ...rows.map((row) => row.value));
    const x = (value) => 4 + ((width - 70) * (value - low)) / (top - low || 1);
    const parts = rows.map((row, i) => {
      const y = i * high;
      return shape("a", { href: row.href, class: "latent " + row.kind, "aria-label": row.said },
        shape("title", {}, row.said),
        text(4, y + 14, short(row.name, Math.floor(width / 6.6)), { class: "name" }),
        shape("rect", { class: "bar", x: Math.min(x(0), x(row.value)), width: Math.max(1, Math.abs(x(row.value) - x(0))), y: y + 20, height: 13 }),
        text(width - 2, y + 31, row.value.toFixed(2), { class: "value", "text-anchor": "end" }));
    });
    parts.push(shape("line", { class: "axis", x1: x(0), x2: x(0), y1: 16, y2: rows.length * high }));
    return svg(width, rows.length * high + 4, unit, parts);
  }

  return { element, svg, rates, letters, cosines, curve, bars, nice, percent, short };
})();
