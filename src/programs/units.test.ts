import { expect, test } from "vitest";
import { parseJobs, parseUnits } from "./units.ts";

/** systemd 257: `systemctl show --property=… default.target ssh.service nothing.service`. */
const SHOWN = `Id=multi-user.target
LoadState=loaded
ActiveState=inactive
Job=2

Type=notify
Result=exit-code
Id=ssh.service
ExecMainExitTimestampMonotonic=81234
LoadState=loaded
ActiveState=failed

Type=simple
Result=success
Id=nothing.service
LoadState=not-found
ActiveState=inactive
`;

test("units are read in the order in which they were asked for", () => {
  expect(parseUnits(SHOWN)).toEqual([
    {
      id: "multi-user.target",
      load: "loaded",
      active: "inactive",
      result: "",
      type: "",
      hasJob: true,
      hasEnded: false,
    },
    {
      id: "ssh.service",
      load: "loaded",
      active: "failed",
      result: "exit-code",
      type: "notify",
      hasJob: false,
      hasEnded: true,
    },
    expect.objectContaining({ id: "nothing.service", load: "not-found" }),
  ]);
  expect(parseUnits("")).toEqual([]);
});

test("jobs are read as systemctl shows them", () => {
  expect(
    parseJobs("  1 multi-user.target start waiting\n 95 bootc-health.service start running\n"),
  ).toEqual([
    { unit: "multi-user.target", state: "waiting", line: "  1 multi-user.target start waiting" },
    {
      unit: "bootc-health.service",
      state: "running",
      line: " 95 bootc-health.service start running",
    },
  ]);
  expect(parseJobs("\n")).toEqual([]);
});
