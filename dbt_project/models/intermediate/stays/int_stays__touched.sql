{#
The lake keeps which snapshot wrote or deleted a row, so what changed since the last build is read from the files of these
snapshots alone. A stay is touched under its month and person of now and under those of deleted front pages. Marts carry
names, levels and currencies of the register: with a hospital of a region, all stays of the region's sources are touched.
#}
{{ config(materialized='table', pre_hook="{{ forget_built() }}") }}
-- depends_on: {{ source('raw', 'hospital') }}

{%- set entities = ['front_page', 'diagnosis', 'operation', 'settlement', 'fee_line'] -%}
{%- set is_anew = anew() -%}
{%- set after = 0 if is_anew else built_snapshot() -%}
{%- set until = newest_snapshot() -%}
{%- set sources = [] if is_anew else sources_registered_anew(after, until) %}

with

{% if is_anew %}
    seen as (
        {% for entity in entities %}
            select {{ stay_named_by(entity) }}
            from {{ source('raw', entity) }}
            {{ 'union' if not loop.last }}
        {% endfor %}
    ),
{% else %}
    changed as (
        {% for entity in entities %}
            {% for kind in ['insertions', 'deletions'] %}
                select {{ stay_named_by(entity) }}
                from {{ raw_changes(kind, entity, after, until) }}
                union
            {% endfor %}
            select {{ stay_named_by(entity) }}
            from {{ source('raw', entity) }}
            where {{ "source_id in ('" ~ sources | join("', '") ~ "')" if sources else 'false' }}
            {{ 'union' if not loop.last }}
        {% endfor %}
    ),

    -- A front page that did not change itself tells the month and the person of a stay of which something else did.
    page as (
        select
            front_page.source_id,
            front_page.mdtrt_id,
            cast(date_trunc('month', front_page.endtime) as date) as discharge_month,
            front_page.psn_no
        from {{ source('raw', 'front_page') }} as front_page
        semi join changed
            on front_page.source_id = changed.source_id and front_page.mdtrt_id = changed.mdtrt_id
    ),

    seen as (
        select * from changed
        union
        select * from page
    ),
{% endif %}

touched as (
    select
        seen.source_id || ':' || seen.mdtrt_id as stay_id,
        seen.source_id,
        seen.mdtrt_id,
        seen.discharge_month,
        seen.psn_no,
        cast({{ until }} as bigint) as snapshot_id
    from seen
)

select * from touched
