import { expect, test } from "vitest";
import { parseDeploymentOrder } from "./deployment-order.ts";

const [a, b, c] = ["a", "b", "c"].map((it) => it.repeat(64));

test("ostree lists deployments in the order in which it counts them", () => {
  const text = `  default ${a}.0 (staged)
    Version: 42
    origin: <unknown origin type>
* default ${b}.1
    origin refspec: ${c}.0
  other ${c}.0 (rollback)
    Pinned: yes
`;
  expect(parseDeploymentOrder(text)).toEqual([
    { stateroot: "default", name: `${a}.0` },
    { stateroot: "default", name: `${b}.1` },
    { stateroot: "other", name: `${c}.0` },
  ]);
  expect(parseDeploymentOrder("No deployments.\n")).toEqual([]);
});
