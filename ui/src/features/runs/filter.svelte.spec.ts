import { expect, it } from "vitest";
import { filterOf, queryOf } from "./filter";

it("a filter comes back from the address as it was", () => {
  const filter = { statuses: ["faulted" as const, "waiting" as const], workflow: "shop/orders", text: "ord 1", since: "24h" as const };
  const query = new URLSearchParams(Object.entries(queryOf(filter)).filter((pair): pair is [string, string] => pair[1] !== null));
  expect(filterOf(query)).toEqual(filter);
});

it("drops states and times that do not exist", () => {
  expect(filterOf(new URLSearchParams("status=faulted,broken&since=1y"))).toMatchObject({ statuses: ["faulted"], since: "any" });
});
