// Draws the charts, paints them from the page's palette, and follows a change of light and dark.
(() => {
  "use strict";
  const root = document.documentElement;
  const { docs, items } = JSON.parse(document.getElementById("charts").textContent);

  function colour(role) {
    return getComputedStyle(root).getPropertyValue("--" + role).trim();
  }

  function paint() {
    for (const doc of Bokeh.documents) {
      for (const model of doc.all_models) {
        for (const tag of model.tags ?? []) {
          if (tag == null || typeof tag !== "object") continue;
          const roles = tag.paint ?? (tag.get ? tag.get("paint") : undefined);
          if (roles == null) continue;
          const entries = roles instanceof Map ? roles.entries() : Object.entries(roles);
          const values = {};
          for (const [property, role] of entries) {
            const own = model[property];
            const vector = own != null && typeof own === "object" && !Array.isArray(own);
            values[property] = vector ? { value: colour(role) } : colour(role);
          }
          model.setv(values);
        }
      }
    }
  }

  // A finger that drags over a chart wants to scroll the page.
  function freeTouch() {
    if (!matchMedia("(pointer: coarse)").matches) return;
    for (const doc of Bokeh.documents) {
      for (const model of doc.all_models) {
        if (model.type === "Toolbar") model.active_drag = null;
      }
    }
  }

  // Paper is narrower than the window and charts cannot follow at once: print their pictures.
  function canvases(node) {
    return [...node.querySelectorAll("*")].flatMap((el) => [
      ...(el.tagName === "CANVAS" && el.width > 0 && el.height > 0 ? [el] : []),
      ...(el.shadowRoot ? canvases(el.shadowRoot) : []),
    ]);
  }

  function picture(place) {
    const layers = canvases(place);
    if (!layers.length) return;
    const sheet = document.createElement("canvas");
    sheet.width = layers[0].width;
    sheet.height = layers[0].height;
    for (const layer of layers) sheet.getContext("2d").drawImage(layer, 0, 0);
    const image = new Image();
    image.src = sheet.toDataURL();
    image.className = "printed";
    place.append(image);
  }

  addEventListener("beforeprint", () => document.querySelectorAll(".chart").forEach(picture));
  addEventListener("afterprint", () => document.querySelectorAll(".printed").forEach((i) => i.remove()));

  async function start() {
    await Bokeh.embed.embed_items(docs, items);
    paint();
    freeTouch();
    root.dataset.charts = String(document.querySelectorAll(".chart").length);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  }

  start().catch((error) => {
    root.dataset.failed = String(error);
    console.error(error);
  });
})();
