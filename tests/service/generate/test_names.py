"""The names of generated features, and the texts that contain them."""

from __future__ import annotations

import ast

import pytest

from inference_core.app.generate.errors import GenerateError
from inference_core.app.generate.files import REFERENCE_FOLDER, files_of
from inference_core.app.generate.names import Names, feature_names, singular_of
from inference_core.app.generate.rename import renamed

CATEGORIES = Names("categories", "category")


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("notes", "note"),
        ("categories", "category"),
        ("blog_posts", "blog_post"),
        ("boxes", "box"),
        ("classes", "class"),
        ("wishes", "wish"),
        ("batches", "batch"),
        ("houses", "house"),
        ("addresses", "address"),
        ("statuses", "status"),
        ("ties", "tie"),
        ("movies", "movie"),
        ("news", "news"),
        ("series", "series"),
        ("data", "data"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("access", "access"),
        ("inventory", "inventory"),
        ("as", "as"),
    ],
)
def test_the_singular(plural: str, singular: str) -> None:
    assert singular_of(plural) == singular


@pytest.mark.parametrize(
    "name", ["", "Notes", "1note", "note-s", "_notes", "notes_", "no__tes", "nötes", "no tes", "x" * 25, "a/b", "é"]
)
def test_names_that_are_no_package_are_refused(name: str) -> None:
    with pytest.raises(GenerateError, match="at most 24 lower-case letters"):
        feature_names(name, None)


@pytest.mark.parametrize("name", ["class", "match", "yield"])
def test_keywords_are_refused(name: str) -> None:
    with pytest.raises(GenerateError, match="keyword of Python"):
        feature_names(name, None)
    with pytest.raises(GenerateError, match="keyword of Python"):
        feature_names("notes", name)


@pytest.mark.parametrize("name", ["calendar", "list", "queue"])
def test_names_of_python_itself_are_refused(name: str) -> None:
    with pytest.raises(GenerateError, match="Python has a module or function"):
        feature_names(name, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from shop.notes.models import Note", "from depot.goods.categories.models import Category"),
        ("TooManyNotesError(NotesSettings)", "TooManyCategoriesError(CategoriesSettings)"),
        ("get_read_only_notes(note_id)", "get_read_only_categories(category_id)"),
        ('NOTES = f"{API_PREFIX}/notes/{note_id}"', 'CATEGORIES = f"{API_PREFIX}/categories/{category_id}"'),
        ('"fk_notes_owner_id_users"', '"fk_categories_owner_id_users"'),
        ("Annotated, denote, keynotes, notebook", "Annotated, denote, keynotes, notebook"),
        ("workshop, shopping", "workshop, shopping"),
    ],
)
def test_only_whole_words_are_renamed(before: str, after: str) -> None:
    assert renamed(before, CATEGORIES, "depot.goods") == after


def test_paths_have_hyphens_and_articles_fit() -> None:
    names = Names("open_orders", "open_order")
    assert renamed('f"{API}/notes/word-count"', names, "shop") == 'f"{API}/open-orders/word-count"'
    assert renamed("A note. Read a note.", names, "shop") == "An open_order. Read an open_order."


def test_a_distribution_has_hyphens() -> None:
    text = 'name="shop",\nname = "shop"\nservice = "shop.service:service"\nassert body["app_name"] == "shop"'
    assert renamed(text, None, "my_shop").splitlines() == [
        'name="my-shop",',
        'name = "my-shop"',
        'service = "my_shop.service:service"',
        'assert body["app_name"] == "my-shop"',
    ]


@pytest.mark.parametrize("names", [CATEGORIES, Names("news", "news"), Names("x" * 24, "y" * 24)], ids=str)
def test_every_file_of_the_reference_stays_valid_python_and_keeps_no_old_name(names: Names) -> None:
    sources = [path for path in files_of(REFERENCE_FOLDER) if "notes" in str(path) and path.suffix == ".py"]
    assert len(sources) > 12
    for path in sources:
        text = renamed(path.read_text(), names, "depot")
        ast.parse(text)
        assert "note" not in text.lower().replace("annotat", ""), path
        assert "shop" not in text.lower(), path
