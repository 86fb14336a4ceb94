import { expect, test } from "vitest";
import { parseUnits } from "./units.ts";

/** systemd 257: `systemctl show --property=… default.target ssh.service nothing.service`. */
const SHOWN = `Id=multi-user.target
LoadState=loaded
ActiveState=inactive
Job=2

Type=notify
Result=exit-code
Id=ssh.service
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
    },
    {
      id: "ssh.service",
      load: "loaded",
      active: "failed",
      result: "exit-code",
      type: "notify",
      hasJob: false,
    },
    expect.objectContaining({ id: "nothing.service", load: "not-found" }),
  ]);
  expect(parseUnits("")).toEqual([]);
});
