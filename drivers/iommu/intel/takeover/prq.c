// SPDX-License-Identifier: GPL-2.0-only
/*
 * The old page-request queue (chapter 7), and the change to the driver's.
 *
 * A device that shares a process's address space asks for pages that are not
 * there (PRI). The unit puts the requests in a queue in memory; software
 * answers each group of them through the invalidation queue. A device may wait
 * for its answer without end, and the kernel that would have given it is dead.
 * What is found in its queue is answered here: the request was invalid. That
 * ends the one access that needed the page, which nobody will bring in any
 * more. "Success" would let the device try again and ask again, without end,
 * and "response failure" makes it stop using PRI altogether, which its new
 * driver may not be able to undo.
 *
 * A device that asks while the queue is changed is not lost either. The head
 * is not moved while the queue is read, so that it holds no more than one
 * queue of requests. It is then moved to where the unit takes the queue for
 * full: what comes from there on is answered by the unit, which lets the
 * device ask again later (7.5), and the queue can be changed under it.
 *
 * What is not answered:
 *  - what the crashed kernel had taken from its queue: behind the head nobody
 *    can tell what was answered from what was not, and a group gets one answer;
 *  - what comes between two writes to registers if the old queue is larger
 *    than the driver's and its tail is beyond the end of that, or if the old
 *    queue cannot be believed;
 *  - what nobody can read, and what waits behind a unit that is dead.
 * On the other hand, of what is between head and tail some may have been
 * answered before the crash. Then the device gets an answer that it does not
 * expect, notes that in a status bit, and goes on.
 *
 * Private data, which revision 3.0 had and 4.0 took back, is not answered to:
 * its bits are reserved now, and the driver does not look at them.
 */
#define pr_fmt(fmt) "DMAR: takeover: " fmt

#include <linux/errno.h>
#include <linux/printk.h>

#include "env.h"
#include "unit.h"

/**
 * struct old_queue - the old page-request queue while it is read
 * @base:	where it lies
 * @size:	in bytes, a power of two
 * @at:		offset of the request that comes next
 * @answered:	groups answered
 * @unread:	requests that could not be read
 * @bad_page:	page of the queue that was not read, plus one; 0: none
 * @error:	of the first descriptor that failed; none is tried after it
 */
struct old_queue {
	u64		base;
	u32		size;
	u32		at;
	unsigned int	answered;
	unsigned int	unread;
	u32		bad_page;
	int		error;
};

static u32 read_offset(struct takeover_unit *unit, unsigned int reg)
{
	return vtd_read64(unit, reg) & VTD_PQ_OFFSET;
}

static u32 after(const struct old_queue *queue, u32 at)
{
	return (at + VTD_PRQ_SIZE) & (queue->size - 1);
}

/* Returns 0, -ENOENT if there is no queue, or the errno of one that is none. */
static int find_queue(struct takeover_unit *unit, struct old_queue *queue)
{
	u64 pqa = vtd_read64(unit, VTD_REG_PQA);

	queue->base = pqa & VTD_PQA_ADDR;
	queue->size = vtd_page_queue_size(pqa);
	queue->at = read_offset(unit, VTD_REG_PQH);
	if (!queue->base)
		return -ENOENT;
	if (!takeover_oldmem_plausible(queue->base, queue->size))
		return -EFAULT;
	if (queue->at >= queue->size)
		return -ERANGE;
	return 0;
}

static void submit(struct takeover_unit *unit, struct old_queue *queue,
		   u64 low, u64 high)
{
	if (!queue->error)
		queue->error = vtd_submit(unit, low, high);
}

/*
 * 7.7: the last request of a group asks for the answer to all of it. A stop
 * marker looks like one that wants neither to read nor to write, and asks for
 * nothing.
 */
static bool asks(const u64 *request)
{
	if (FIELD_GET(VTD_PRQ_TYPE, request[0]) != VTD_PRQ_REQUEST ||
	    !(request[1] & VTD_PRQ_LAST))
		return false;

	return request[1] & (VTD_PRQ_READ | VTD_PRQ_WRITE) ||
	       !(request[0] & VTD_PRQ_HAS_PASID);
}

static void answer(struct takeover_unit *unit, struct old_queue *queue,
		   const u64 *request)
{
	u64 low = VTD_ANSWER |
		  FIELD_PREP(VTD_ANSWER_CODE, VTD_ANSWER_INVALID) |
		  FIELD_PREP(VTD_ANSWER_RID,
			     FIELD_GET(VTD_PRQ_RID, request[0]));

	if (request[0] & VTD_PRQ_HAS_PASID)
		low |= VTD_ANSWER_HAS_PASID |
		       FIELD_PREP(VTD_ANSWER_PASID,
				  FIELD_GET(VTD_PRQ_PASID, request[0]));
	submit(unit, queue, low,
	       FIELD_PREP(VTD_ANSWER_GROUP,
			  FIELD_GET(VTD_PRQ_GROUP, request[1])));
	if (!queue->error)
		queue->answered++;
}

/* Poison is run into once a page, and not once a request. */
static void take_request(struct takeover_unit *unit, struct old_queue *queue)
{
	u32 page = queue->at / VTD_TABLE_SIZE + 1;
	u64 request[VTD_PRQ_WORDS];

	if (page == queue->bad_page ||
	    vtd_read_oldmem(request, queue->base + queue->at,
			    sizeof(request))) {
		queue->bad_page = page;
		queue->unread++;
	} else if (asks(request)) {
		answer(unit, queue, request);
	}
	queue->at = after(queue, queue->at);
}

/*
 * 7.5: a queue is full when its tail is one behind its head. A request that
 * was on its way past the old head is in the queue once the drain is through
 * (7.10).
 */
static void fill_up(struct takeover_unit *unit, struct old_queue *queue)
{
	vtd_write64(unit, VTD_REG_PQH, after(queue, queue->at));
	if (unit->ecap & VTD_ECAP_PDS)
		submit(unit, queue,
		       VTD_WAIT | VTD_WAIT_FENCE | VTD_WAIT_DRAIN, 0);
}

/*
 * Takes what is in the queue, and what comes meanwhile, until it is seen full
 * with nothing in it that was not taken. A request that came just before the
 * head was moved makes a full queue an empty one, so this is tried again; a
 * device that asks whatever it is told gets two queues of answers.
 */
static int empty_queue(struct takeover_unit *unit, struct old_queue *queue)
{
	unsigned int left = 2 * queue->size / VTD_PRQ_SIZE;
	bool full = false;
	u32 tail;

	for (;;) {
		tail = read_offset(unit, VTD_REG_PQT);
		if (tail >= queue->size)
			return -ERANGE;
		if (tail == queue->at && full)
			return 0;
		full = tail == queue->at;
		if (full) {
			fill_up(unit, queue);
			continue;
		}
		if (!left--)
			return -EBUSY;
		take_request(unit, queue);
	}
}

/*
 * Full all the time, so that nothing gets lost, if the tail may stay where it
 * is. A queue of which nothing is known is made full by two writes.
 *
 * The unit reports requests anew once PPR is clear, and puts none in the queue
 * before PRO is: the one first, the other last.
 */
static void set_queue(struct takeover_unit *unit, u64 pqa, bool full, u32 at)
{
	vtd_write32(unit, VTD_REG_PRS, VTD_PRS_PPR);
	if (!full || at >= vtd_page_queue_size(pqa)) {
		at = 0;
		vtd_write64(unit, VTD_REG_PQH, VTD_PRQ_SIZE);
		vtd_write64(unit, VTD_REG_PQT, 0);
	}
	vtd_write64(unit, VTD_REG_PQA, pqa);
	vtd_write64(unit, VTD_REG_PQH, at);
	vtd_write32(unit, VTD_REG_PRS, VTD_PRS_PRO);
}

static void tell(const struct takeover_unit *unit,
		 const struct old_queue *queue, int ret)
{
	if (queue->answered)
		pr_info("%s: %u page requests answered that the crashed kernel left\n",
			unit->name, queue->answered);
	if (queue->unread)
		pr_warn("%s: %u page requests not read: their devices may wait for an answer\n",
			unit->name, queue->unread);
	if (ret && ret != -ENOENT)
		pr_warn("%s: page-request queue at %#llx not emptied (%d): devices may wait for an answer\n",
			unit->name, queue->base, ret);
}

/**
 * takeover_switch_pages - answer what the old page-request queue holds, and
 *			   change to another queue
 * @unit: unit with ECAP.PRS, its invalidation queue running
 * @pqa: address and size of the new queue, as in PQA_REG (11.4); its memory is
 *	 zeroed
 *
 * The page request event stays masked, as it has been since the snapshot. The
 * queue afterwards is empty, or holds what came since, and the head need not be
 * 0. Bounded by the size of the old queue, whatever devices do. An old queue
 * that cannot be believed is left alone; what fails is reported, and there is
 * nothing that the caller could do about it. A unit that did not take the root
 * table may not complete a descriptor either, and is given none.
 */
void takeover_switch_pages(struct takeover_unit *unit, u64 pqa)
{
	struct old_queue queue = {};
	int ret;

	if (unit->state == TAKEOVER_DEAD)
		queue.error = -ETIMEDOUT;
	ret = find_queue(unit, &queue);
	if (!ret)
		ret = empty_queue(unit, &queue);
	set_queue(unit, pqa, !ret, queue.at);
	tell(unit, &queue, ret ? ret : queue.error);
}
