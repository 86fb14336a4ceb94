import { expect, test } from "vitest";
import { compareViews, type View } from "./view.ts";

const VIEW: View = {
  loader: "EIO",
  digest: "a",
  isRepaired: false,
  complaints: [],
  isRemembered: false,
};

test("what two looks at one state have to agree on", () => {
  const complaining = { ...VIEW, complaints: ["inode 12 is free"] };
  expect(compareViews(VIEW, { ...VIEW, isRemembered: true })).toEqual([]);
  expect(compareViews(complaining, { ...VIEW, complaints: ["inode 13 is free"] })).toEqual([]);
  const others: readonly View[] = [
    { ...VIEW, loader: [] },
    { ...VIEW, digest: "b" },
    { ...VIEW, isRepaired: true },
    complaining,
  ];
  for (const it of others) expect(compareViews(VIEW, it)).toHaveLength(1);
});
