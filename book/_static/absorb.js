// The picture on the first page that moves: the toy model's closed form (paper, appendices A.2 to A.6) on the token
// " short", where both features have the value 1.
function absorbed(d) {
  return {
    parent: 1 - d, // activation of the S latent, whose encoder reads S minus d times "short"
    child: 1, // activation of the "short" latent, whose decoder row is "short" plus d times S
    price: 2 - d, // sum of the activations, which is what an L1 penalty charges
    active: d < 1 ? 2 : 1, // what an L0 penalty charges
  };
}

function drawAbsorbed(picture) {
  const slider = picture.querySelector("input");
  const show = () => {
    const d = Number(slider.value) / 100;
    const now = absorbed(d);
    const set = (name, attribute, value) => picture.querySelector(`[data-part="${name}"]`).setAttribute(attribute, value);
    set("row", "x2", 40 + 120 * d);
    set("own", "x1", 160 - 120 * now.parent);
    set("bar-parent", "width", 100 * now.parent);
    set("bar-price", "width", 100 * now.price);
    const say = (name, text) => (picture.querySelector(`[data-part="${name}"]`).textContent = text);
    say("number-parent", now.parent.toFixed(2));
    say("number-price", now.price.toFixed(2));
    say(
      "said",
      d === 0
        ? "Each feature has its own latent. Both fire on “short”."
        : d < 1
          ? `The “short” latent writes ${Math.round(100 * d)}% of the S direction. The sum is the same and costs less.`
          : "Absorbed: the S latent is silent on “short”, and one active latent is enough.",
    );
    slider.setAttribute("aria-valuetext", `${Math.round(100 * d)}% absorbed`);
  };
  slider.addEventListener("input", show);
  show();
}

if (typeof document !== "undefined") {
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".absorb").forEach(drawAbsorbed));
}
if (typeof module !== "undefined") {
  module.exports = { absorbed };
}
