//! The documents of the fake workspace, in the shape of the samples.

export const ORDERS = `document:
  dsl: "1.0.3"
  namespace: shop
  name: orders
  version: 1.4.0
  title: Orders
  summary: Receives an order, reserves stock and writes it to the database.
  metadata:
    mastra.io/webhook:
      path: orders
      method: POST
      contentType: application/json
input:
  schema:
    format: json
    document:
      type: object
      required: [id, lines]
do:
  - computeTotals:
      set:
        total: \${ [.lines[] | .quantity * .price] | add }
  - switchOnAmount:
      switch:
        - large:
            when: \${ .total >= 1000 }
            then: upsertOrder
        - standard:
            then: upsertOrder
  - upsertOrder:
      call: sqlite.upsert:1.0.0@default
      with:
        connection: local-tables
        table: orders
        key: [id]
        rows: \${ [.] }
  # stock is given back when the reservation fails
  - reserveStock:
      try:
        - reserve:
            call: http
            with:
              method: post
              endpoint: http://127.0.0.1:7411/reservations
              body: \${ . }
      catch:
        errors:
          with:
            type: https://serverlessworkflow.io/spec/1.0.0/errors/communication
        retry:
          delay: { seconds: 1 }
          backoff: { exponential: {} }
          limit: { attempt: { count: 3 } }
        do:
          - releaseStock:
              call: http
              with:
                method: delete
                endpoint: http://127.0.0.1:7411/reservations/{id}
          - markFailed:
              set:
                state: failed
  - confirm:
      emit:
        event:
          with:
            type: shop.order.accepted
            source: https://mastra.example/orders
`;

export const FOLDER = `pipeline:
  namespace: shop
  name: folder-to-table
  version: 1.1.0
  title: Folder to table
watch:
  folder: inbox
  pattern: "*.csv"
source:
  csv:
    header: true
map: "{ id: (.id | tonumber), name: .name, postal_code: .postal_code }"
sink:
  connector: sqlite
  database: customers.db
  table: customers
  key: [id]
`;

export const MORNING = `document:
  dsl: "1.0.3"
  namespace: shop
  name: every-morning
  version: 1.0.0
  title: Every morning
schedule:
  cron: "0 6 * * *"
do:
  - fetchFigures:
      call: http
      with:
        method: get
        endpoint: http://127.0.0.1:7411/figures
  - writeReport:
      call: file.write:1.0.0@default
      with:
        path: daily-report.json
        content: \${ . }
`;

export const BLANK_WORKFLOW = `document:
  dsl: "1.0.3"
  namespace: shop
  name: new-workflow
  version: 0.1.0
  title: New workflow
do:
  - greet:
      set:
        message: \${ "Hello " + .name }
`;

export const ORDER_INPUT = `{
  "id": "ord-20434",
  "customer": "c-118",
  "lines": [
    { "sku": "SKU-1", "quantity": 2, "price": 99.5 },
    { "sku": "SKU-2", "quantity": 1, "price": 50.5 }
  ]
}`;
