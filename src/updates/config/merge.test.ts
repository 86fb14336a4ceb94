import { expect, test } from "vitest";
import { formatConfig } from "./format.ts";
import { mergeConfig } from "./merge.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";

const file = (name: string, text: string, dir = "/etc/bootc/updates.d") => ({
  path: `${dir}/${name}`,
  text,
});
const VENDOR = "/usr/lib/bootc/updates.d";

test("no files give the defaults, from nowhere", () => {
  expect(mergeConfig([[], []])).toEqual({
    settings: DEFAULT_SETTINGS,
    origins: {},
    mistakes: [],
  });
});

test("a file of the same name in /etc replaces the image's; later names replace single values", () => {
  const { settings, origins, mistakes } = mergeConfig([
    [
      file("10-a.toml", '[identity]\ngroup = "a"\n[steps]\ncheck = "never"', VENDOR),
      file("20-b.toml", 'identity.group = "b"', VENDOR),
    ],
    [file("10-a.toml", '[steps]\ndownload = "window"'), file("15.toml", 'identity.group = "c"')],
  ]);
  expect(mistakes).toEqual([]);
  expect(settings).toMatchObject({
    "identity.group": "b",
    "steps.check": "always",
    "steps.download": "window",
  });
  expect(origins).toEqual({
    "identity.group": `${VENDOR}/20-b.toml:1:1`,
    "steps.download": "/etc/bootc/updates.d/10-a.toml:2:1",
  });
});

test("an empty file masks the image's", () => {
  const vendor = file("10-a.toml", "[updates]\nenabled = false", VENDOR);
  expect(mergeConfig([[vendor], [file("10-a.toml", "")]]).settings["updates.enabled"]).toBe(true);
});

test.each<[string, string, string]>([
  ["[updates", "line 1, column 2:", "is not valid TOML"],
  ["[updates]\nenable = true", "line 2, column 1:", "`updates.enable` is not known"],
  ["[updates]\nenabled = 1", "line 2, column 11:", "is neither `true` nor `false`"],
  ["updates = 3", "line 1, column 1:", "`updates` is not a table"],
  ['[steps]\n reboot = "no"', "line 2, column 11:", "is none of `always`, `window`, `never`"],
  ["[identity]\nrollout_wariness = 1.5", "line 2, column 20:", "is not a number from 0 to 1"],
  ["[health]\ntries = 1.5", "line 2, column 9:", "is not a whole number from 1 to 10"],
  ['[health]\nunits = ["a", 1]', "line 2, column 15:", "`health.units[1]` is not a text in quotes"],
  ["[health]\nunits = 1", "line 2, column 9:", "is not a list of texts"],
  ["[identity]\ngroup = 1", "line 2, column 9:", "is not a text in quotes"],
  ['[updates.periodic]\ntime_zone = "Mars"', "line 2, column 13:", "is neither a time zone"],
  ['[updates.fleet_lock]\nbase_url = "ftp://x"', "line 2, column 12:", "not an http(s) address"],
  ['[updates.fleet_lock]\nbase_url = "http://a:b@x"', "line 2, column 12:", "`password_file`"],
  ['[[updates.periodic.window]]\ndays = ["Mon"]', "line 1, column 1:", "[0].start_time` is not"],
  [
    '[[updates.periodic.window]]\ndays = ["Mon", "Tu"]\nstart_time = "1:00"\nlength_minutes = 60',
    "line 2, column 16:",
    "`updates.periodic.window[0].days[1]` is none of Mon, Tue,",
  ],
  [
    '[updates.periodic]\nwindow = [\n  { days = ["Mon"], start_time = "24:00", length_minutes = 60 }]',
    "line 3, column 34:",
    "is not a time of day in quotes, such as `02:30`",
  ],
  [
    '[[updates.periodic.window]]\nday = "Mon"\ndays = ["Mon"]\nstart_time = "1:00"\nlength_minutes = 0',
    "line 2, column 1:",
    "`updates.periodic.window[0].day` is not known",
  ],
])("the mistake in %j is found at its place", (text, place, reason) => {
  const { mistakes } = mergeConfig([[], [file("x.toml", text)]]);
  const [first = ""] = mistakes;
  expect(first).toContain("/etc/bootc/updates.d/x.toml`");
  expect(first).toContain(place);
  expect(first).toContain(reason);
});

test("all mistakes are reported, and what is right is used", () => {
  const text = '[steps]\ncheck = "x"\ndownload = "y"\nreboot = "never"';
  const { settings, mistakes } = mergeConfig([[], [file("x.toml", text)]]);
  expect(mistakes).toHaveLength(2);
  expect(settings).toMatchObject({ "steps.check": "always", "steps.reboot": "never" });
});

test.each([
  ['updates.strategy = "periodic"', "there is no `[[updates.periodic.window]]`"],
  ['updates.strategy = "fleet_lock"', "there is no `updates.fleet_lock.base_url`"],
  ['updates.fleet_lock.user = "u"', "needs both `user` and `password_file`"],
])("settings that do not fit together: %s", (text, want) => {
  expect(mergeConfig([[], [file("x.toml", text)]]).mistakes.join()).toContain(want);
});

test("what is printed means the same when it is read", () => {
  const merged = mergeConfig([
    [],
    [
      file(
        "x.toml",
        '[updates]\nstrategy = "periodic"\n[identity]\ngroup = "a\\"b"\nrollout_wariness = 0.5\n' +
          '[[updates.periodic.window]]\ndays = ["Sat", "Sun"]\nstart_time = "2:30"\nlength_minutes = 90',
      ),
    ],
  ]);
  const printed = formatConfig(merged);
  expect(mergeConfig([[], [file("y.toml", printed)]])).toMatchObject({
    settings: merged.settings,
    mistakes: [],
  });
  expect(printed).toContain('strategy = "periodic" # /etc/bootc/updates.d/x.toml:2:1\n');
  expect(printed).toContain("# identity.node_id is not set\n");
  expect(printed).toContain("updates.enabled = true # default\n");
});
