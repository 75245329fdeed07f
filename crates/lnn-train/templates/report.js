(() => {
  const data = JSON.parse(document.getElementById("rollout-data").textContent);
  const section = document.getElementById("animation");
  const canvases = [...section.querySelectorAll("canvas")];
  const readouts = [...section.querySelectorAll(".readout")];
  const choice = document.getElementById("rollout");

  const TRAIL_SECONDS = 2.5;
  const TRAIL_STEPS = 90;
  const GHOST = "#c9ced6";
  const start = data.times[0];
  const end = data.times[data.times.length - 1];
  const lightest = Math.min(...data.masses);

  let rollout = data.rollouts[data.initial];

  // Null where the track has no frame at all; the last frame beyond its end.
  function angleAt(track, link, at) {
    const angles = track.angles[link];
    const rates = track.rates[link];
    if (angles.length === 0) { return null; }
    if (at.frame + 1 >= angles.length) { return angles[angles.length - 1]; }
    const [u, v] = [rates[at.frame] * at.step, rates[at.frame + 1] * at.step];
    return hermite(angles[at.frame], angles[at.frame + 1], u, v, at.share);
  }

  function bobs(track, t) {
    const at = locate(data.times, t);
    const first = angleAt(track, 0, at);
    const second = angleAt(track, 1, at);
    if (first === null || second === null) { return null; }
    const x1 = data.lengths[0] * Math.sin(first);
    const y1 = data.lengths[0] * Math.cos(first);
    return [[x1, y1], [x1 + data.lengths[1] * Math.sin(second), y1 + data.lengths[1] * Math.cos(second)]];
  }

  function stopTime(track) {
    const frames = track.angles[0].length;
    return frames === 0 ? start : data.times[Math.min(frames, data.times.length) - 1];
  }

  function drawPendulum(pen, place, positions, radius, colours) {
    pen.lineCap = "round";
    pen.lineJoin = "round";
    const [one, two] = positions.map(place);
    const pivot = place([0, 0]);
    pen.lineWidth = Math.max(1.5, radius * 0.4);
    pen.strokeStyle = colours.rod;
    pen.beginPath();
    pen.moveTo(...pivot);
    pen.lineTo(...one);
    pen.lineTo(...two);
    pen.stroke();
    for (const [index, bob] of [one, two].entries()) {
      // Equal densities: the radius grows with the cube root of the mass.
      const size = radius * Math.min(Math.cbrt(data.masses[index] / lightest), 2.5);
      pen.fillStyle = colours.bob;
      pen.beginPath();
      pen.arc(bob[0], bob[1], size, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.fillStyle = colours.pivot;
    pen.beginPath();
    pen.arc(pivot[0], pivot[1], Math.max(2, radius * 0.35), 0, 2 * Math.PI);
    pen.fill();
  }

  function drawActor(index, time) {
    const canvas = canvases[index];
    const track = rollout.tracks[index];
    const size = canvas.clientWidth;
    if (!track || size === 0) { return; }
    const density = window.devicePixelRatio || 1;
    const pixels = Math.round(size * density);
    if (canvas.width !== pixels) {
      canvas.width = pixels;
      canvas.height = pixels;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, size, size);
    const radius = Math.max(4, size * 0.028);
    const scale = (size / 2 - 2.2 * radius) / (data.lengths[0] + data.lengths[1]);
    const place = ([x, y]) => [size / 2 + scale * x, size / 2 + scale * y];

    const stopped = Math.min(time, stopTime(track));
    const from = Math.max(start, stopped - TRAIL_SECONDS);
    if (stopped > from) {
      let last = null;
      // Round ends would overlap where the trail is transparent and show as beads.
      pen.lineCap = "butt";
      for (let k = 0; k <= TRAIL_STEPS; k += 1) {
        const positions = bobs(track, from + (k / TRAIL_STEPS) * (stopped - from));
        if (positions === null) { continue; }
        const point = place(positions[1]);
        if (last !== null) {
          pen.globalAlpha = 0.6 * (k / TRAIL_STEPS) ** 1.5;
          pen.strokeStyle = data.actors[index].colour;
          pen.lineWidth = Math.max(1.2, radius * 0.35);
          pen.beginPath();
          pen.moveTo(...last);
          pen.lineTo(...point);
          pen.stroke();
        }
        last = point;
      }
      pen.globalAlpha = 1;
    }
    if (index > 0) {
      const truth = bobs(rollout.tracks[0], time);
      if (truth !== null) {
        drawPendulum(pen, place, truth, radius, { rod: GHOST, bob: GHOST, pivot: GHOST });
      }
    }
    const positions = bobs(track, time);
    if (positions !== null) {
      const failed = time > stopTime(track);
      pen.globalAlpha = failed ? 0.35 : 1;
      drawPendulum(pen, place, positions, radius, { rod: "#4a515b", bob: data.actors[index].colour, pivot: "#4a515b" });
      pen.globalAlpha = 1;
    }
  }

  function digits(value, count) {
    return value.toFixed(count).replace("-", "−");
  }

  function describe(index, time) {
    const track = rollout.tracks[index];
    if (!track) { return ""; }
    if (track.energy.length === 0) { return track.failure ? `no frame: ${track.failure}` : "no frame"; }
    if (time > stopTime(track)) {
      return `stopped at ${digits(stopTime(track), 1)} s${track.failure ? `: ${track.failure}` : ""}`;
    }
    const at = locate(data.times, time);
    const frame = Math.min(Math.round(at.frame + at.share), track.energy.length - 1);
    const energy = track.energy[frame];
    const text = `energy ${digits(energy, 2)} ${data.energy_unit}`;
    const error = track.error[frame];
    return Number.isFinite(error) ? `${text}\nerror ${percent(error)}` : text;
  }

  const player = createPlayer({
    begin: () => start,
    end: () => end,
    pace: () => 1,
    steps: () => [Math.min(0.1, (end - start) / 100), Math.min(5, (end - start) / 10)],
    label: (time) => `${digits(time, 1)} s`,
    spoken: (time) => `${digits(time, 1)} seconds of ${digits(end, 0)}`,
    draw(time) {
      for (let index = 0; index < canvases.length; index += 1) {
        drawActor(index, time);
        const text = describe(index, time);
        if (readouts[index].innerText !== text) { readouts[index].innerText = text; }
      }
    },
  });

  choice.addEventListener("change", () => {
    rollout = data.rollouts[Number(choice.value)];
    player.restart();
  });
  player.start();
})();
