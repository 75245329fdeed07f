"use strict";
// What the animations of all reports share: the place of a time among the frames, and the controls.

// The frame at or before a time, the share of the way to the next, and the time between the two.
function locate(times, t) {
  let low = 0;
  let high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= t) { low = middle; } else { high = middle; }
  }
  const step = high > low ? times[high] - times[low] : 0;
  return { frame: low, share: step > 0 ? Math.min(Math.max((t - times[low]) / step, 0), 1) : 0, step };
}

// Cubic Hermite interpolation from values and rates, these times the step: straight lines between frames would cut
// the corners of whatever is fast.
function hermite(a, b, u, v, s) {
  return a + s * (u + s * (3 * (b - a) - 2 * u - v + s * (2 * (a - b) + u + v)));
}

function percent(value) {
  if (value === 0) { return "0 %"; }
  if (value < 0.0001) { return "below 0.0001 %"; }
  if (value > 1e6) { return "more than 10⁶ %"; }
  return `${value < 0.01 ? value.toFixed(4) : value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(1) : value.toFixed(0)} %`;
}

// The play button, the slider, the keys and the clock of an animation. The picture says where its times begin and end,
// how many of its units pass in a second at normal speed, the slider's steps, and how a time is written and drawn.
function createPlayer(picture) {
  const playButton = document.getElementById("play");
  const slider = document.getElementById("time");
  const clock = document.getElementById("clock");
  const speed = document.getElementById("speed");
  let time = picture.begin();
  let playing = false;
  let previous = null;

  function show() {
    picture.draw(time);
    const label = picture.label(time);
    if (clock.value !== label) { clock.value = label; }
    slider.value = time;
    slider.setAttribute("aria-valuetext", picture.spoken(time));
  }

  function restart() {
    time = picture.begin();
    slider.min = picture.begin();
    slider.max = picture.end();
    show();
  }

  function tick(now) {
    if (!playing) { return; }
    if (previous !== null) {
      // A hidden tab wakes up after a long pause; the motion must not leap.
      time += Math.min((now - previous) / 1000, 0.1) * Number(speed.value) * picture.pace();
    }
    previous = now;
    if (time >= picture.end()) {
      time = picture.end();
      setPlaying(false);
    }
    show();
    if (playing) { requestAnimationFrame(tick); }
  }

  function setPlaying(wanted) {
    if (wanted && time >= picture.end()) { time = picture.begin(); }
    const begins = wanted && !playing;
    playing = wanted;
    previous = null;
    playButton.textContent = playing ? "Pause" : "Play";
    if (begins) { requestAnimationFrame(tick); }
  }

  playButton.addEventListener("click", () => setPlaying(!playing));
  slider.addEventListener("input", () => {
    time = Number(slider.value);
    show();
  });
  slider.addEventListener("keydown", (event) => {
    const [fine, coarse] = picture.steps();
    const step = { ArrowLeft: -fine, ArrowDown: -fine, ArrowRight: fine, ArrowUp: fine, PageDown: -coarse, PageUp: coarse }[event.key];
    if (step === undefined) { return; }
    event.preventDefault();
    time = Math.min(Math.max(time + step, picture.begin()), picture.end());
    show();
  });
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("button, select, input, a, summary, pre, [tabindex]");
    if (event.key === " " && !busy && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      setPlaying(!playing);
    }
  });
  window.addEventListener("resize", show);
  return {
    show,
    restart,
    start() {
      restart();
      if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) { setPlaying(true); }
    },
  };
}
