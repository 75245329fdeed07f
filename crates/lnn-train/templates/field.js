(() => {
  const data = JSON.parse(document.getElementById("field-data").textContent);
  const section = document.getElementById("animation");
  const curves = document.getElementById("curves");
  const maps = [...section.querySelectorAll(".maps canvas")];
  const mapStage = section.querySelector(".maps");
  const switches = [...section.querySelectorAll(".actors input")];
  const readouts = [...section.querySelectorAll(".actors output")];
  const choice = document.getElementById("motion");
  const extent = document.getElementById("extent");

  const MISSING = [180, 180, 180];
  const MARGIN = { left: 46, right: 12, top: 10, bottom: 24 };

  // Sixteen-bit whole numbers, lower byte first, as the report packs them.
  function unpack(text, scale) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, k) => view.getInt16(2 * k, true) * scale / 32767);
  }

  const motions = data.motions.map((motion) => ({
    ...motion,
    sites: motion.shape[0] * motion.shape[1],
    line: motion.shape[0] === 1 || motion.shape[1] === 1,
    tracks: motion.tracks.map((track) => track === null ? null : {
      frames: track.frames,
      stopped: track.stopped,
      errors: track.errors,
      field: unpack(track.field, motion.scale[0]),
      rate: unpack(track.rate, motion.scale[1]),
    }),
  }));

  let motion = motions[0];
  const begin = () => motion.times[0];
  const end = () => motion.times[motion.times.length - 1];

  // The field at every site. The last frame beyond the end; null without a frame.
  function fieldAt(track, at) {
    if (track === null || track.frames === 0) { return null; }
    const n = motion.sites;
    const from = Math.min(at.frame, track.frames - 1) * n;
    if (at.frame + 1 >= track.frames) { return track.field.subarray(from, from + n); }
    const values = new Float32Array(n);
    for (let site = 0; site < n; site += 1) {
      const [a, b] = [track.field[from + site], track.field[from + n + site]];
      const [u, v] = [track.rate[from + site] * at.step, track.rate[from + n + site] * at.step];
      values[site] = hermite(a, b, u, v, at.share);
    }
    return values;
  }

  const stopTime = (track) => track === null || track.frames === 0 ? begin() : motion.times[track.frames - 1];
  // Rounding of times to five digits must not make the last frame look like a stop.
  const stopped = (track, time) => track !== null && track.frames < motion.times.length && time > stopTime(track);

  function pen(canvas, height) {
    const width = canvas.clientWidth;
    const density = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width };
  }

  function roundStep(rough) {
    const magnitude = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].find((factor) => factor * magnitude >= rough * (1 - 1e-9)) * magnitude;
  }

  function drawCurves(at, time) {
    const height = curves.clientHeight;
    const { context, width } = pen(curves, height);
    if (width === 0) { return; }
    const most = 1.15 * (motion.amplitude || 1);
    const low = motion.low < 0 ? -most : -0.15 * most;
    const x = (site) => MARGIN.left + (site + 0.5) / motion.sites * (width - MARGIN.left - MARGIN.right);
    const y = (value) => MARGIN.top + (most - value) / (most - low) * (height - MARGIN.top - MARGIN.bottom);
    context.font = "12px 'DejaVu Sans', Verdana, sans-serif";
    context.lineWidth = 1;
    context.setLineDash([]);
    context.fillStyle = "#5a626d";
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = roundStep((most - low) / 5);
    const decimals = Math.max(0, -Math.floor(Math.log10(step)));
    for (let k = Math.ceil(low / step); k * step <= most; k += 1) {
      context.strokeStyle = k === 0 ? "#9aa2ad" : "#e6e9ee";
      context.beginPath();
      context.moveTo(MARGIN.left, y(k * step));
      context.lineTo(width - MARGIN.right, y(k * step));
      context.stroke();
      context.fillText((k * step).toFixed(decimals).replace("-", "−"), MARGIN.left - 6, y(k * step));
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const sites = roundStep(motion.sites * motion.stride / 6);
    for (let site = 0; site < motion.sites * motion.stride; site += sites) {
      context.fillText(String(site), x(site / motion.stride), height - MARGIN.bottom + 6);
    }
    context.textAlign = "right";
    context.fillText("site", width - MARGIN.right, height - MARGIN.bottom + 6);
    context.textAlign = "left";
    context.fillText("φ", 6, MARGIN.top);
    // The truth lies wide under all, and dashed curves on the first model's, which is solid.
    for (const [index, track] of motion.tracks.entries()) {
      const values = switches[index].checked ? fieldAt(track, at) : null;
      if (values === null) { continue; }
      context.globalAlpha = index === 0 ? 0.3 : stopped(track, time) ? 0.35 : 1;
      context.strokeStyle = data.actors[index].colour;
      context.lineWidth = index === 0 ? 6 : 2;
      context.setLineDash(data.actors[index].dash);
      context.lineJoin = "round";
      context.save();
      context.beginPath();
      context.rect(MARGIN.left, MARGIN.top, width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom);
      context.clip();
      context.beginPath();
      for (let site = 0; site < values.length; site += 1) {
        if (site === 0) { context.moveTo(x(site), y(values[site])); } else { context.lineTo(x(site), y(values[site])); }
      }
      context.stroke();
      context.restore();
      context.globalAlpha = 1;
    }
  }

  const small = document.createElement("canvas");
  function drawMap(index, at, time) {
    const canvas = maps[index];
    const [rows, columns] = motion.shape;
    const { context, width } = pen(canvas, canvas.clientWidth * rows / columns);
    const values = fieldAt(motion.tracks[index], at);
    if (width === 0) { return; }
    small.width = columns;
    small.height = rows;
    const pixels = small.getContext("2d").createImageData(columns, rows);
    const last = data.colours.length - 1;
    for (let site = 0; site < rows * columns; site += 1) {
      const share = values === null ? NaN : 0.5 * (values[site] / (motion.amplitude || 1) + 1);
      const colour = Number.isNaN(share) ? MISSING : data.colours[Math.round(Math.min(Math.max(share, 0), 1) * last)];
      // Row 0 is at the bottom, as in the figures.
      const pixel = 4 * ((rows - 1 - Math.floor(site / columns)) * columns + site % columns);
      pixels.data.set([...colour, 255], pixel);
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.globalAlpha = stopped(motion.tracks[index], time) ? 0.35 : 1;
    context.imageSmoothingEnabled = width / columns < 12;
    context.drawImage(small, 0, 0, width, width * rows / columns);
    context.globalAlpha = 1;
  }

  function describe(index, at, time) {
    const track = motion.tracks[index];
    if (track === null || track.frames === 0) { return "not kept"; }
    if (index === 0) { return ""; }
    if (stopped(track, time)) { return `stopped at t = ${track.stopped ?? stopTime(track)}`; }
    const [field, energy] = track.errors[Math.min(Math.round(at.frame + at.share), track.errors.length - 1)];
    return `field ${percent(field)}, energy ${percent(energy)}`;
  }

  const decimals = () => end() < 50 ? 1 : 0;
  const player = createPlayer({
    begin,
    end,
    pace: () => motion.pace,
    steps: () => [(end() - begin()) / 200, (end() - begin()) / 20],
    label: (time) => `t = ${time.toFixed(decimals())}`,
    spoken: (time) => `time ${time.toFixed(decimals())} of ${end().toFixed(decimals())}`,
    draw(time) {
      const at = locate(motion.times, time);
      if (motion.line) { drawCurves(at, time); } else { maps.forEach((_, index) => drawMap(index, at, time)); }
      readouts.forEach((readout, index) => {
        const text = describe(index, at, time);
        if (readout.value !== text) { readout.value = text; }
      });
    },
  });

  function choose(index) {
    motion = motions[index];
    // Curves that hardly go below 0 get the whole height.
    motion.low = motion.tracks[0].field.reduce((low, value) => Math.min(low, value), 0) < -0.1 * motion.amplitude ? -1 : 0;
    curves.hidden = !motion.line;
    mapStage.hidden = motion.line;
    section.classList.toggle("grid", !motion.line);
    extent.textContent = motion.extent;
  }

  choice.addEventListener("change", () => {
    choose(Number(choice.value));
    player.restart();
  });
  switches.forEach((box) => box.addEventListener("change", player.show));
  choose(0);
  player.start();
})();
