"""The CSV report."""

import csv
import io


def test_the_report_is_a_csv_attachment_with_one_row_per_product(client, laptop):
    response = client.get("/reports/inventory.csv")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=inventory.csv"
    assert response.text == (
        "id,name,sku,stock,reorderLevel,status,createdAt,updatedAt\r\n"
        f"{laptop['id']},Laptop,LTP-123,20,5,IN_STOCK,"
        f"{laptop['createdAt']},{laptop['updatedAt']}\r\n"
    )


def test_cells_are_quoted_and_formulas_are_prefixed(client):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)"]
    harmless = ["1-1", "a=b", 'A "big", 東京 laptop']
    for name in formulas + harmless:
        client.post("/products", json={"name": name, "sku": name})

    rows = csv.reader(io.StringIO(client.get("/reports/inventory.csv").text, newline=""))

    cells = [*(f"'{name}" for name in formulas), *harmless]
    assert [row[1:3] for row in rows] == [["name", "sku"], *([cell, cell] for cell in cells)]


def test_the_report_can_be_filtered_by_status(client, laptop):
    client.post("/products", json={"name": "Phone", "sku": "PHN-7"})

    assert "Phone" not in client.get("/reports/inventory.csv?status=IN_STOCK").text
    assert "Laptop" not in client.get("/reports/inventory.csv?status=LOW_STOCK").text


def test_the_report_is_streamed_in_chunks(service, client):
    """The header is sent before a product is read, and the first rows before the last ones."""
    products = [service.create_product("Laptop", f"LTP-{number}") for number in range(2000)]
    chunks = client.get("/reports/inventory.csv", buffered=False).iter_encoded()

    header = next(chunks)
    service.add_stock(products[0].id, 7)
    rows = next(chunks)
    service.add_stock(products[-1].id, 9)
    rest = b"".join(chunks)

    assert header.count(b"\r\n") == 1
    assert b"LTP-0,7," in rows
    assert b"LTP-1999,9," in rest
