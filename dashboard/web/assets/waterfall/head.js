// Draws the time axis, and the stages over what is normal for them.
(function (all) {
  const HEIGHT = 44;
  const AXIS = 10;
  const STAGES = 26;
  // A stage stands out where it is over normal by this share of the latency.
  const OVER = 0.05;

  function axis(context, view) {
    all.paint.font(context, 11);
    context.fillStyle = view.colours.soft;
    context.textAlign = "center";
    for (const tick of view.ticks) {
      const x = view.x(tick.ns);
      if (x > view.left + 14 && x < view.width - 14) {
        context.fillText(tick.text, x, AXIS);
      }
    }
    context.textAlign = "left";
    context.fillText("ms since ingress", 4, AXIS);
  }

  const clip = (view, ns) => Math.min(Math.max(view.x(ns), view.left), view.width);

  // A bar is as long as the stage took; the grey one behind it is what is normal; what is over
  // that is in the colour of alarm.
  function stages(context, view) {
    all.paint.font(context, 11);
    context.fillStyle = view.colours.soft;
    context.fillText("stages", 4, STAGES);
    for (const mark of view.model.stage_marks) {
      const normal = view.normal && view.normal.decisions ? view.normal.stages_ns[mark.name] : null;
      const [from, to] = [clip(view, mark.at_ns), clip(view, mark.at_ns + mark.took_ns)];
      if (normal !== null) {
        context.fillStyle = view.colours.reference;
        context.globalAlpha = 0.45;
        context.fillRect(from, STAGES - 8, clip(view, mark.at_ns + normal) - from, 16);
        context.globalAlpha = 1;
      }
      context.fillStyle = view.colours.soft;
      context.fillRect(from, STAGES - 4, Math.max(to - from, 1), 8);
      if (normal !== null && mark.took_ns > normal) {
        const over = clip(view, mark.at_ns + normal);
        context.fillStyle = view.colours.alarm;
        context.fillRect(over, STAGES - 4, to - over, 8);
      }
      context.fillStyle = view.colours.text;
      context.fillRect(from, STAGES - 8, 1, 16);
    }
    names(context, view);
  }

  function names(context, view) {
    const y = STAGES + 14;
    let until = view.left;
    all.paint.font(context, 10);
    context.fillStyle = view.colours.soft;
    for (const mark of view.model.stage_marks) {
      const x = view.x(mark.at_ns) + 2;
      const wide = context.measureText(mark.name).width;
      if (x >= until && x + wide < view.width) {
        context.fillText(mark.name, x, y);
        until = x + wide + 8;
      }
    }
  }

  function draw(canvas, view) {
    const context = all.paint.clear(canvas, view.width, HEIGHT);
    axis(context, view);
    stages(context, view);
  }

  // The same in words, above the picture.
  function said(model, normal) {
    const { took } = all.words;
    const known = normal && normal.decisions;
    const parts = model.stage_marks.map((mark) => {
      const over = known ? mark.took_ns - normal.stages_ns[mark.name] : 0;
      const against = Math.abs(over) < 5e4 ? "" : over > 0 ? " over normal" : " under normal";
      const difference = known ? (against ? ", " + took(Math.abs(over)) + against : ", as normal") : "";
      return { name: mark.name, took: took(mark.took_ns) + difference, isOver: over > model.total_ns * OVER };
    });
    let basis = "";
    if (normal) {
      const of = [normal.action, normal.region || "any region"].filter(Boolean).join(" in ");
      basis = known
        ? "normal: the mean of " +
          all.words.count(normal.decisions, "decision") +
          ` (${of}) on target in the 24 h before; single spans have no reference`
        : "nothing to compare with: fewer than 10 decisions of " +
          of +
          " met their target in the 24 h before";
    }
    return { parts, basis };
  }

  all.head = { HEIGHT, draw, said };
})((globalThis.Waterfall = globalThis.Waterfall || {}));
