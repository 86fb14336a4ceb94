// The course of a build, step by step, as the real frontend reports it (fedora-copr/copr 5d37cd8, 2026-08-07,
// `Build.status`, `update_state_from_dict` and `dist_git_upload_completed`).

/** The course of a build of the stand-in. */
export type Outcome =
  | "succeeded"
  | "failed-chroot"
  | "failed-source"
  | "failed-import"
  | "skipped"
  | "never-ends"
  | "unknown-state";

export interface Frame {
  readonly state: string;
  readonly source: string;
  /** One state for all chroots, or by name. */
  readonly chroots: string | Record<string, string>;
  /** The end of the chroots was never recorded: `ended_on` stays null forever. */
  readonly isUndated?: boolean;
}

/** The measured sequence: `pending` and `running` occur twice, and a failed chroot stays hidden until the end. */
export function framesOf(outcome: Outcome, chroots: readonly string[]): readonly Frame[] {
  const [first = "", ...others] = chroots;
  const some = (state: string, rest: string) => ({
    [first]: state,
    ...Object.fromEntries(others.map((it) => [it, rest])),
  });
  const source: Frame[] = [
    { state: "pending", source: "pending", chroots: "waiting" },
    { state: "starting", source: "starting", chroots: "waiting" },
    { state: "running", source: "running", chroots: "waiting" },
  ];
  if (outcome === "failed-source") {
    return [...source, { state: "failed", source: "failed", chroots: "waiting" }];
  }
  if (outcome === "unknown-state")
    return [...source, { state: "unknown", source: "succeeded", chroots: "waiting" }];
  const importing: Frame = { state: "importing", source: "importing", chroots: "waiting" };
  if (outcome === "failed-import") {
    // The chroots fail with their source; only the missing time distinguishes them from built ones.
    const failed = { state: "failed", source: "failed", chroots: "failed", isUndated: true };
    return [...source, importing, failed];
  }
  const building: Frame[] = [
    importing,
    { state: "pending", source: "succeeded", chroots: "pending" },
    { state: "starting", source: "succeeded", chroots: some("starting", "pending") },
    { state: "running", source: "succeeded", chroots: some("running", "starting") },
  ];
  if (outcome === "never-ends") return [...source, ...building];
  if (outcome === "skipped") {
    const skipped = { state: "skipped", source: "succeeded", chroots: "skipped", isUndated: true };
    return [...source, ...building, skipped];
  }
  const last = outcome === "failed-chroot" ? "failed" : "succeeded";
  return [
    ...source,
    ...building,
    { state: "running", source: "succeeded", chroots: some(last, "running") },
    { state: last, source: "succeeded", chroots: some(last, "succeeded") },
  ];
}
