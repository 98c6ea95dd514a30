export default {
  "headline": {
    "confirmed": "Đơn hàng đã được xác nhận",
    "preparing": "Nhà hàng đang chuẩn bị món",
    "ready": "Món của bạn đã sẵn sàng",
    "picked_up": "Đơn hàng đang trên đường giao",
    "delivered": "Đã giao. Chúc ngon miệng!",
    "cancelled": "Đơn hàng đã bị hủy",
    "unknown": "Đơn hàng đang được xử lý"
  },
  "step": {
    "confirmed": "Đã xác nhận",
    "preparing": "Đang chuẩn bị",
    "ready": "Sẵn sàng",
    "picked_up": "Đang giao",
    "delivered": "Đã giao",
    "cancelled": "Đã hủy"
  },
  "state": {
    "done": "Đã xong",
    "current": "Hiện tại",
    "next": "Sắp tới",
    "skipped": "Đã bỏ qua"
  },
  "eta": {
    "expected": "Dự kiến giao",
    "due": "Dự kiến giao",
    "overdue": "Ước tính gần nhất",
    "arrived": "Đã giao lúc",
    "planned": "Dự kiến ban đầu:"
  },
  "notice": {
    "cancelled_restaurant": "Nhà hàng đã hủy đơn hàng này.",
    "cancelled_customer": "Đơn hàng đã được hủy theo yêu cầu của khách.",
    "cancelled_courier": "Người giao hàng đã hủy chuyến giao.",
    "cancelled_other": "Đơn hàng sẽ không được giao.",
    "was_picked_up": "Đơn hàng đã rời nhà hàng trước đó.",
    "contact": "Nếu có thắc mắc, vui lòng liên hệ nhà hàng.",
    "reason": "Lý do: {reason}",
    "undone": "Đính chính: “{undone}” đã bị ghi nhầm. Đơn hàng trở lại bước “{to}”.",
    "restored": "Lệnh hủy đã được thu hồi. Đơn hàng được tiếp tục.",
    "courier_replaced": "Một người giao hàng khác đã nhận đơn của bạn.",
    "late": "Đơn hàng sẽ đến muộn hơn dự kiến.",
    "due": "Đơn hàng sắp đến nơi.",
    "overdue": "Đơn hàng lâu hơn dự kiến. Chưa có thời gian dự kiến mới.",
    "delivered_late": "Đơn hàng đã đến muộn hơn dự kiến."
  },
  "connection": {
    "connecting": "Đang kết nối…",
    "live": "Tự động cập nhật",
    "reconnecting": "Mất kết nối. Đang thử lại…",
    "offline": "Bạn đang ngoại tuyến",
    "ended": "Đơn hàng đã kết thúc. Sẽ không có cập nhật nào nữa.",
    "back": "Đã kết nối lại.",
    "checked": "Kiểm tra lần cuối {ago}"
  },
  "updated": {
    "ago": "Thay đổi {ago}",
    "now": "Vừa thay đổi"
  },
  "problem": {
    "gone": "Liên kết này không còn hiệu lực",
    "unknown": "Không tìm thấy đơn hàng này"
  }
};
